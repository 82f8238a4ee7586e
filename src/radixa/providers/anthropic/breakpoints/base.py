"""What Anthropic's cache does, and the types that cross the border of this package.

A **breakpoint** on a block asks Anthropic to keep the prompt up to and including that block. A later prompt reads it
where a breakpoint of its own lies on the same block, or up to `LOOKBACK` - 1 blocks after it. The order of a prompt is
tools, system, messages; a **position** is a block's number in that order, counted from 0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Ttl = Literal["5m", "1h"]

SECONDS: dict[Ttl, float] = {"5m": 300.0, "1h": 3_600.0}
"""How long an entry lives after its last use."""
WRITE: dict[Ttl, float] = {"5m": 1.25, "1h": 2.0}
"""What a written token costs, in input tokens."""
READ = 0.1
"""What a read token costs, in input tokens."""
MOST = 4
"""Breakpoints in one body."""
LOOKBACK = 20
"""Positions at which a breakpoint looks for an entry, its own among them."""
SAFETY = 5.0
"""Seconds before its end from which an entry is no longer counted on: the request is still under way."""


class Place(NamedTuple):
    """Where a block stands in the body."""

    section: Literal["tools", "system", "messages"]
    item: int
    part: int = -1
    """Of the message's content; -1 where the block is the item itself, or a content that is a string."""


class Prompt(NamedTuple):
    """A body's prompt in blocks, as Anthropic's cache sees it."""

    key: bytes
    """A path for the tree: one token a block, a hash of what it holds."""
    weights: list[int]
    """Size of each block in characters; media count as what they cost in tokens."""
    places: list[Place]
    markable: list[bool]
    """Whether a breakpoint may stand on the block: not on thinking, nor on an empty text."""
    last_tool: int
    """Position of the last tool; -1 without tools."""
    last_system: int
    turns: int
    """The user's messages."""


class Mark(NamedTuple):
    """A breakpoint to be placed."""

    position: int
    ttl: Ttl
