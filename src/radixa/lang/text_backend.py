"""What back ends of text have in common: options as fields, least lengths, choices."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Answer, ChatFormat, Listener, Options, Prompt, Turn
from radixa.lang.choices import ChoicesMethod, Decision
from radixa.lang.constraints import StopPatterns, pattern_of, schema_of
from radixa.lang.formats import learned
from radixa.lang.scoring import decide


def fields(options: Options) -> dict[str, Any]:
    """The fields of a completions body that say how to sample; without what is left open."""
    logprobs = (options.top_logprobs_num or 0) if options.return_logprob else None
    found = {
        "max_tokens": options.max_tokens,
        "n": options.n if (options.n or 1) > 1 else None,
        "stop": options.stops or None,
        "stop_token_ids": list(options.stop_token_ids) if options.stop_token_ids else None,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "min_p": options.min_p,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
        "repetition_penalty": options.repetition_penalty,
        "seed": options.seed,
        "ignore_eos": options.ignore_eos or None,
        "logprobs": logprobs,
        "regex": pattern_of(options),
        "json_schema": schema_of(options),
    }
    return {name: value for name, value in found.items() if value is not None}


def missing_collection(name: str, place: str) -> InvalidRequest:
    return InvalidRequest(
        f"{place} has no collection {name!r}. Make it with `radixa docs add {name} PATH…`.", param="collection"
    )


class TextBackend(ABC):
    """Implements `lang.base.Backend` but for what is the engine's or the server's own.

    A program is one text here, turns included, so what follows an answer continues exactly what the answer ended.
    """

    @cached_property
    def format(self) -> ChatFormat:
        return learned(self.render)

    @abstractmethod
    def render(self, turns: Sequence[Turn], add_generation_prompt: bool) -> str:
        """The turns as the model's own chat template writes them."""

    @abstractmethod
    def complete(self, text: str, options: Options, listener: Listener | None) -> list[Answer]:
        """Continue a text; what `generate` makes of patterns and of a least length is done."""

    @abstractmethod
    def tokenize(self, text: str) -> Sequence[int]: ...

    @abstractmethod
    def logprob(self, prompt: Sequence[int], token: int) -> float:
        """That of the token after the prompt."""

    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]:
        if options.min_tokens:
            return self._longer(prompt.text, options, listener)
        return self._until_pattern(prompt.text, options, listener)

    def select(self, prompt: Prompt, choices: Sequence[str], method: ChoicesMethod) -> Decision:
        begun = time.perf_counter()
        found = decide(prompt.text, choices, method, self.tokenize, self.logprob)
        return replace(found, meta={**found.meta, "e2e_latency": time.perf_counter() - begun})

    def _until_pattern(self, text: str, options: Options, listener: Listener | None) -> list[Answer]:
        if not options.stop_patterns:
            return self.complete(text, options, listener)
        patterns, heard = StopPatterns(options.stop_patterns), ""

        def hears(piece: str) -> bool:
            nonlocal heard
            heard += piece
            return patterns.cut(heard) is not None or (listener is not None and listener(piece))

        answers = self.complete(text, options, hears if (options.n or 1) == 1 else None)
        return [
            answer
            if (cut := patterns.cut(answer.text)) is None
            else Answer(cut, {**answer.meta, "finish_reason": {"type": "stop"}})
            for answer in answers
        ]

    def _longer(self, text: str, options: Options, listener: Listener | None) -> list[Answer]:
        """The least tokens first, in which nothing ends the answer; then the rest as usual, on the same prefix."""
        least, most = options.min_tokens or 0, options.max_tokens or 0
        if options.constrained or (options.n or 1) > 1:
            raise InvalidRequest("gen: min_tokens does not go with n, regex, json_schema or dtype. Leave one out.")
        if least > most:
            raise InvalidRequest(f"gen: min_tokens is {least}. Expected at most max_tokens, {most}.")
        forced = replace(
            options, min_tokens=None, max_tokens=least, ignore_eos=True, stop=None, stop_token_ids=None, stop_regex=None
        )
        (first,) = self.complete(text, forced, listener)
        if least == most:
            return [first]
        (rest,) = self._until_pattern(
            text + first.text, replace(options, min_tokens=None, max_tokens=most - least), listener
        )
        return [Answer(first.text + rest.text, _together(first.meta, rest.meta))]


def _together(first: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """The figures of an answer in two parts: the prompt's are those of the first, the work is that of both."""
    found = dict(first) | {"finish_reason": rest.get("finish_reason")}
    for name in ("completion_tokens", "e2e_latency", "cost_usd", "saved_usd"):
        one, other = first.get(name), rest.get(name)
        found[name] = None if one is None or other is None else one + other
    return found
