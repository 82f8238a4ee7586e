"""A prompt as the engine takes it, with what is known of the words it came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from radixa.core.base import Message, Role
from radixa.core.tokens import count
from radixa.models.base import ChatTemplate, Tokenizer
from radixa.providers.local.turns import Turn, spans, turns


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, and where in them the messages lie; all positions in tokens."""

    token_ids: bytes
    spans: tuple[tuple[int, Role], ...] = ()
    """As `EngineRequest.spans`."""
    turns: tuple[Turn, ...] = ()
    """Where each message's content lies, in the order of the prompt; empty without messages."""
    opening: int = 0
    """Tokens before the caller's first own one: what any other caller's prompt may begin with as well."""

    @property
    def tokens(self) -> int:
        return count(self.token_ids)

    def turn(self, at: int) -> Turn | None:
        """The turn whose content token `at` lies in; None for the template's own words."""
        place = bisect_right(self.turns, at, key=lambda turn: turn.start) - 1
        return self.turns[place] if place >= 0 and at < self.turns[place].end else None


def of_text(tokenizer: Tokenizer, text: str) -> Prompt:
    ids, (opening,) = tokenizer.locate(text, [0])
    return Prompt(ids, opening=opening)


def of_messages(
    tokenizer: Tokenizer,
    template: ChatTemplate,
    messages: Sequence[Message],
    text: str,
    *,
    add_generation_prompt: bool,
    tools: Sequence[dict[str, Any]] = (),
    origins: Sequence[int | None] | None = None,
) -> Prompt:
    """`text`: what the template rendered of the messages and tools.

    `origins`: which of the caller's messages each one is a part of, None for one that is none of theirs; where it is
    not given they are the caller's own.
    """
    found = turns(template, messages, text, add_generation_prompt=add_generation_prompt, tools=tools)
    ends = spans(found, messages, text)
    places = sorted({*(end for end, _ in ends), *(turn.start for turn in found), *(turn.end for turn in found)})
    ids, tokens = tokenizer.locate(text, places)
    at = dict(zip(places, tokens, strict=True))
    return Prompt(
        token_ids=ids,
        spans=_increasing([(at[end], role) for end, role in ends]),
        turns=tuple(
            Turn(at[turn.start], at[turn.end], origin)
            for turn in found
            if (origin := turn.message if origins is None else origins[turn.message]) is not None
        ),
        opening=at[found[0].start] if found else 0,
    )


def _increasing(ends: list[tuple[int, Role]]) -> tuple[tuple[int, Role], ...]:
    """The spans that have a token; a message may be empty, or part of a token."""
    kept: list[tuple[int, Role]] = []
    for end, role in ends:
        if end > (kept[-1][0] if kept else 0):
            kept.append((end, role))
    return tuple(kept)
