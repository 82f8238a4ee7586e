"""Where and why a prompt left the cache, in texts (CONTRACT 3.3): the same object in explanations and in usage."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from radixa.core.base import Miss, MissReason, Volatile
from radixa.core.tokens import TOKEN_BYTES, unpack
from radixa.models.base import Tokenizer
from radixa.providers.local.prompt import Prompt

SHOWN_TOKENS = 24
"""Tokens that are shown of a prompt from where it leaves the cache."""
_LINE_TOKENS = 256
"""Tokens before and after a volatile stretch in which the ends of its line are looked for."""


class MissBody(msgspec.Struct, frozen=True):
    at: int
    """Tokens before it."""
    reason: MissReason
    message: int | None
    """Index of the message that token `at` lies in; None for the template's words and for plain prompts."""
    yours: str | None
    """The prompt from there on; None where nothing is said of what the cache holds there."""
    tree: list[str]
    """What the cache has there instead."""
    evicted_at: float | msgspec.UnsetType = msgspec.UNSET
    """Unix seconds."""
    expired_at: float | msgspec.UnsetType = msgspec.UNSET


class VolatileBody(msgspec.Struct, frozen=True):
    text: str
    """The whole line that changes with every request."""
    seen: int
    """Requests that had something else there."""
    cost_tokens: int
    """Tokens after it that are computed again because of it."""


def miss_body(miss: Miss, prompt: Prompt, volatile: Volatile | None, tokenizer: Tokenizer) -> MissBody:
    """`prompt`: the one that missed; `volatile`: what was found out together with the miss."""
    if miss.reason in ("namespace", "disabled"):
        return MissBody(miss.at, miss.reason, _message(prompt, miss.at), None, [])
    reason, tree = miss.reason, miss.tree
    if reason == "diverged" and miss.at <= prompt.opening and volatile is None:
        # Every prompt begins with the template's own words: this one is not like another that went on from there.
        reason, tree = "never_seen", ()
    then = msgspec.UNSET if miss.left is None else round(miss.left, 3)
    return MissBody(
        at=miss.at,
        reason=reason,
        message=_message(prompt, miss.at),
        yours=text_of(prompt, miss.at, miss.at + SHOWN_TOKENS, tokenizer),
        tree=[tokenizer.decode(unpack(path), skip_special=False) for path in tree],
        evicted_at=then if reason == "evicted" else msgspec.UNSET,
        expired_at=then if reason == "expired" else msgspec.UNSET,
    )


def volatile_body(volatile: Volatile, prompt: Prompt, tokenizer: Tokenizer) -> VolatileBody:
    return VolatileBody(_line(volatile, prompt, tokenizer), volatile.seen, volatile.cost_tokens)


def text_of(prompt: Prompt, start: int, end: int, tokenizer: Tokenizer) -> str:
    """Tokens `start` to `end` of a prompt, special ones as they are written."""
    return tokenizer.decode(_ids(prompt, start, end), skip_special=False)


def _ids(prompt: Prompt, start: int, end: int) -> Sequence[int]:
    return unpack(prompt.token_ids[start * TOKEN_BYTES : end * TOKEN_BYTES])


def _message(prompt: Prompt, at: int) -> int | None:
    turn = prompt.turn(at)
    return None if turn is None else turn.message


def _line(volatile: Volatile, prompt: Prompt, tokenizer: Tokenizer) -> str:
    """The line or lines that hold the stretch, within its message."""
    turn = prompt.turn(volatile.start)
    low, high = (0, prompt.tokens) if turn is None else (turn.start, turn.end)

    def text(start: int, end: int) -> bytes:
        ids = _ids(prompt, max(start, low), min(end, high))
        return b"".join(tokenizer.token_bytes(token_id) for token_id in ids)

    before = text(volatile.start - _LINE_TOKENS, volatile.start).rpartition(b"\n")[2]
    within = text(volatile.start, volatile.end)
    after = text(volatile.end, volatile.end + _LINE_TOKENS).partition(b"\n")[0]
    if within.endswith(b"\n"):
        after = b""
    return (before + within + after).decode("utf-8", "replace").strip("\n")
