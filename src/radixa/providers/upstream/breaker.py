"""A breaker: an upstream that fails again and again is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 5
"""In a row, until it opens."""
COOL_DOWN_S = 5.0
"""How long it stays open at first; twice as long after each try that failed, up to a minute."""
LONGEST_S = 60.0


class Breaker:
    """Open after `failures` in a row; then one try is let through each time a cool-down is over, until one succeeds.

    A try that is still running when the next cool-down is over does not hold up the next try. `clock`: seconds.
    """

    def __init__(
        self,
        failures: int = FAILURES,
        cool_down_s: float = COOL_DOWN_S,
        longest_s: float = LONGEST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._first_s = cool_down_s
        self._longest_s = longest_s
        self._clock = clock
        self._failures = 0
        self._cool_down_s = cool_down_s
        self._until: float | None = None
        """When the next try may go through; None while it is closed."""
        self._trying = False

    @property
    def failures(self) -> int:
        """In a row, up to now."""
        return self._failures

    @property
    def left(self) -> float:
        """Seconds until a request may go through; 0 where one may now."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def enter(self) -> bool:
        """Whether a request may go through now. While open, this one is then the try."""
        if self._until is None:
            return True
        if self.left:
            return False
        self._until = self._clock() + self._cool_down_s
        self._trying = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._cool_down_s = self._first_s
        self._until = None
        self._trying = False

    def failed(self) -> None:
        self._failures += 1
        if self._until is None:
            if self._failures >= self._most:
                self._until = self._clock() + self._cool_down_s
        elif self._trying:
            # Others that fail now began before it opened: they say nothing new.
            self._trying = False
            self._cool_down_s = min(2 * self._cool_down_s, self._longest_s)
            self._until = self._clock() + self._cool_down_s
