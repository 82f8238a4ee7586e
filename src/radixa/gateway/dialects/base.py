"""What a dialect makes of a body: first what the gateway itself must know, later, if at all, the whole of it.

A provider that speaks the caller's dialect gets the body as it came, so most of it is never decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from radixa.core.base import Dialect, SamplingParams
from radixa.core.conversation import Conversation
from radixa.gateway.wishes import CacheWishes, Mark

Content = Conversation | str | bytes
"""A prompt: a conversation, text, or token ids (`core.tokens`)."""

ANY_VOCABULARY = 2**31
"""The vocabulary's size where nobody knows it."""


class Understood(NamedTuple):
    """A body read in full."""

    prompts: Sequence[Content]
    sampling: SamplingParams
    """Its `max_tokens` is the body's, or 0 where the body names none."""
    marks: Sequence[Mark] = ()
    """Its breakpoints, which a cache of ours may honour."""


class Asked(msgspec.Struct, frozen=True):
    """What a route reads of a body before anything else."""

    dialect: Dialect
    body: bytes
    """As it came, or as the gateway normalised it."""
    model: str | None
    stream: bool
    max_tokens: int | None
    wishes: CacheWishes
    understand: Callable[[int], Understood]
    """Reads all of it, given the vocabulary's size. InvalidRequest names the field that cannot be."""
    n: int = 1
    explicit: bool = False
    """The body has breakpoints of its own."""
    headers: tuple[tuple[str, str], ...] = ()
    """The caller's headers that belong to the dialect, lower-case."""


_MARKS = (b'"cache_control"', b'"prompt_cache_breakpoint"')
_BREAKPOINT = re.compile(rb"(?:" + b"|".join(_MARKS) + rb")\s*:\s*\{")


def has_breakpoints(body: bytes) -> bool:
    """Whether a part of the body, or all of it, is marked. A name quoted in a text has its quotes escaped."""
    # The expression takes ten times as long over a large body, and most have no such name in them.
    return any(name in body for name in _MARKS) and _BREAKPOINT.search(body) is not None
