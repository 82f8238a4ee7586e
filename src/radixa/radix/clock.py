"""The time of a tree."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter


class Clock:
    """Gives no two operations the same time: where `seconds`, which never go back, stand still, the next float."""

    __slots__ = ("_seconds", "last")

    last: float
    """The time of the last operation."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.last = seconds()

    def tick(self) -> float:
        """The time of a new operation."""
        now = self._seconds()
        if now <= self.last:
            now = nextafter(self.last, inf)
        self.last = now
        return now

    def now(self) -> float:
        """Not before the last operation."""
        return max(self._seconds(), self.last)
