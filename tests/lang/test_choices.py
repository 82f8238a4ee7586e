"""Three ways to compare choices, on numbers small enough to follow."""

from __future__ import annotations

import pytest

from radixa.lang.choices import (
    greedy_token_selection,
    token_length_normalized,
    unconditional_likelihood_normalized,
)
from radixa.lang.scoring import decide

NAMES = ["a", "b", "c"]


def test_the_mean_decides_whatever_the_length() -> None:
    found = token_length_normalized.decide(NAMES, [[-1.0], [-0.5, -0.9], [-3.0, -0.1]])
    assert found.choice == "b"
    assert found.meta["normalized_prompt_logprobs"] == pytest.approx([-1.0, -0.7, -1.55])


def test_greedily_the_likeliest_first_token_wins_and_then_the_next() -> None:
    given = [[-1.0, -0.1], [-0.5, -9.0], [-0.5, -8.0]]
    assert greedy_token_selection.decide(NAMES, given).choice == "c"
    assert token_length_normalized.decide(NAMES, given).choice == "a"


def test_a_choice_that_has_ended_goes_on_with_its_average() -> None:
    assert greedy_token_selection.decide(NAMES[:2], [[-1.0], [-1.0, -0.5]]).choice == "b"
    assert greedy_token_selection.decide(NAMES[:2], [[-1.0], [-1.0, -1.5]]).choice == "a"


def test_what_is_likely_anyway_counts_less() -> None:
    given, alone = [[-1.0], [-2.0]], [[-1.0], [-6.0]]
    assert unconditional_likelihood_normalized.decide(NAMES[:2], given, alone).choice == "b"
    assert token_length_normalized.decide(NAMES[:2], given).choice == "a"


def test_the_first_of_equals() -> None:
    assert token_length_normalized.decide(NAMES, [[-1.0]] * 3).choice == "a"


def test_tokens_are_scored_from_where_the_choices_change_the_prompts_own() -> None:
    """A prompt "ab" whose last token merges with what follows; every pair of prompt and token is asked once."""
    cut = {"": [], "ab": [1, 2], "abc": [1, 3], "abd": [1, 2, 4], "abde": [1, 2, 4, 5]}
    asked: list[tuple[tuple[int, ...], int]] = []

    def logprob(prompt: tuple[int, ...], token: int) -> float:
        asked.append((tuple(prompt), token))
        return -float(token)

    found = decide("ab", ["c", "d", "de"], token_length_normalized, cut.__getitem__, logprob)
    assert found.meta["input_token_logprobs"] == [[-3.0], [-2.0, -4.0], [-2.0, -4.0, -5.0]]
    assert sorted(asked) == [((1,), 2), ((1,), 3), ((1, 2), 4), ((1, 2, 4), 5)]
    assert found.choice == "c"


def test_without_the_prompt_a_first_token_is_certain() -> None:
    cut = {"": [], "x": [1], "xy": [1, 2, 3], "xz": [1, 4]}

    def logprob(prompt: tuple[int, ...], token: int) -> float:
        return -float(sum(prompt) + token)

    found = decide("x", ["y", "z"], unconditional_likelihood_normalized, cut.__getitem__, logprob)
    assert found.meta["input_token_logprobs"] == [[-3.0, -6.0], [-5.0]]
    assert found.meta["unconditional_token_logprobs"] == [[0.0, -5.0], [0.0]]
