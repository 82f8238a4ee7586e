"""Kinds of leaves, and what a leaf of each is worth."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

from radixa.radix.node import Node
from radixa.radix.policies.lifetimes import BINS, EDGES, Lifetimes, either, worths

_RISING = 2.0
"""A worth that grows to this many times what it is at first grows in earnest."""
_SESSION_RISING = 1.2
"""The same for sessions, whose silences are known one by one."""
_SESSION_DOUBT = 0.5
"""Sessions as whose experience that of less like ones counts."""


class Kind:
    """Leaves that are alike: how soon they are used again, and what one is worth at each age.

    Those on a session's latest path are used when the session goes on (`returns`), or by another one; all others are
    simply used.
    """

    __slots__ = ("_group", "aging", "lifetimes", "peak", "returns", "worth", "written")

    def __init__(self, lifetimes: Lifetimes, returns: Lifetimes | None = None) -> None:
        self.lifetimes = lifetimes
        self.returns = returns
        self.worth: list[float] = [0.0] * BINS
        self.written = -1
        """When `worth` was computed, in renewals."""
        self.peak = 0.0
        """The age up to which the worth rises; 0 where it falls from the beginning."""
        self.aging: deque[tuple[Node[Any], float]] = deque()
        """Leaves that were younger than that when they were used, with the time of it."""
        self._group: object = self

    @property
    def group(self) -> object:
        """What its leaves are grouped by: sessions' kinds are many, so those of about the same worth go together."""
        return self._group

    def appraise(self, doubt: float, silence: Mapping[Lifetimes, Sequence[float]], gap: int, renewal: int) -> None:
        """Compute what leaves are worth, for the renewal of that number.

        `doubt`: tokens as whose experience that of less like leaves counts. `silence`: how long sessions are silent.
        `gap`: the bin of the time between two requests; nothing is known of shorter times.
        """
        chances = self.lifetimes.chances(doubt, renewal=renewal)
        rising = _RISING
        if self.returns is not None:
            chances = either(chances, self.returns.chances(_SESSION_DOUBT, silence, renewal))
            rising = _SESSION_RISING
        self.written = renewal
        self.worth = worth = worths(chances, gap)
        best = max(worth)
        self.peak = EDGES[worth.index(best) + 1] if best > rising * worth[gap] else 0.0
        if self.returns is not None:
            self._group = int(log2(worth[gap]))
