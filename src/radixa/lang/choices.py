"""Which of several choices a model means, by the log-probabilities of their tokens: three ways to compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Logprobs = Sequence[Sequence[float]]
"""Natural logs, a row for each choice, a value for each of its tokens."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The choice, and in `meta` what it was found by."""

    choice: str
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChoicesMethod:
    """A way to decide. `scores` gives each choice's score: the highest wins, the first of equals."""

    name: str
    scores: Callable[[Logprobs, Logprobs], Sequence[float]]
    unconditional: bool = False
    """It also needs the choices' log-probabilities without the prompt."""

    def decide(self, choices: Sequence[str], given: Logprobs, alone: Logprobs = ()) -> Decision:
        scores = list(self.scores(given, alone))
        meta: dict[str, Any] = {
            "choices_method": self.name,
            "scores": scores,
            "normalized_prompt_logprobs": [_mean(row) for row in given],
            "input_token_logprobs": [list(row) for row in given],
        }
        if self.unconditional:
            meta["unconditional_token_logprobs"] = [list(row) for row in alone]
        return Decision(choices[scores.index(max(scores))], meta)


def _mean(row: Sequence[float]) -> float:
    return sum(row) / len(row)


def _by_mean(given: Logprobs, alone: Logprobs) -> list[float]:
    return [_mean(row) for row in given]


def _greedily(given: Logprobs, alone: Logprobs) -> list[float]:
    """Token by token, whoever has the likeliest goes on. A choice that has ended goes on with its average.

    The score is how many tokens a choice lasted.
    """
    left = list(range(len(given)))
    lasted = [0.0] * len(given)
    for place in range(max(map(len, given))):
        values = {i: given[i][place] if place < len(given[i]) else _mean(given[i]) for i in left}
        best = max(values.values())
        left = [i for i in left if values[i] == best]
        for i in left:
            lasted[i] += 1
    return lasted


def _against_alone(given: Logprobs, alone: Logprobs) -> list[float]:
    """How much likelier the prompt makes each token, on average."""
    return [
        _mean([with_prompt - without for with_prompt, without in zip(row, free, strict=True)])
        for row, free in zip(given, alone, strict=True)
    ]


token_length_normalized = ChoicesMethod("token_length_normalized", _by_mean)
"""The highest mean log-probability of a token. The default."""

greedy_token_selection = ChoicesMethod("greedy_token_selection", _greedily)
"""What greedy decoding would take if it could only write one of the choices."""

unconditional_likelihood_normalized = ChoicesMethod(
    "unconditional_likelihood_normalized", _against_alone, unconditional=True
)
"""The choice whose tokens the prompt makes likelier by most: good where some choices are rare words."""
