"""What is read from a server at one moment, and what of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree, for the table of the hottest prefixes."""

    id: int
    tokens: int
    """Its own, without the path above it."""
    hits: int
    last_use: float
    """Seconds ago, when it was read."""
    text: str | None
    """None where the key may not read it."""
    owner: str
    """Its namespace."""
    marks: tuple[str, ...] = ()
    """What keeps it, in a word each."""

    @property
    def spared(self) -> int:
        """Tokens that its hits did not have to compute."""
        return self.hits * self.tokens


@dataclass(frozen=True, slots=True)
class Reading:
    """What a server said at one moment."""

    at: float
    """`time.monotonic` seconds."""
    metrics: Mapping[str, float]
    """Samples of `/metrics` by their name, series of one name summed."""
    reused: Mapping[str, float]
    """Prompt tokens reused since the engine's start, by the tier in which they lay."""
    bytes_per_token: int | None
    """Of the KV pool; None where `/v1/cache` did not say."""
    model: str | None
    """The embedded engine's, None without one."""
    nodes: tuple[Node, ...] | None = None
    """None where the tree was not asked for, or could not be read."""
    more_nodes: bool = False
    """The tree has nodes beyond those that were looked at."""
    notes: tuple[str, ...] = ()
    """What could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Where KV lies, in tokens."""

    name: str
    capacity: int
    in_use: int
    """Of running requests, and of the tree where they lock it."""
    kept: int
    """In the tree and free to go."""
    reused: int
    """Prompt tokens that came from it, since the engine's start."""
    note: str = ""

    @property
    def used(self) -> int:
        return self.in_use + self.kept


@dataclass(frozen=True, slots=True)
class Figures:
    """What is shown of a server, all but its tree. Rates are of the last seconds, None before two readings."""

    model: str | None
    answering: int
    """Requests that the gateway is answering, whoever computes them."""
    computing: int | None
    """Those that the engine computes, None without one."""
    waiting: int | None
    """Those that wait for their turn in the engine."""
    requests_per_second: float | None
    refused: int
    """By limits, since the server's start."""
    generated_per_second: float | None
    computed_per_second: float | None
    reused_per_second: float | None
    hit_rate: float | None
    """Of the prompt tokens of the last minute; None where there were none."""
    hit_rate_since_start: float | None
    tiers: tuple[Tier, ...]
