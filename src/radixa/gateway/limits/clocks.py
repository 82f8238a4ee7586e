"""Two clocks: one that goes on whatever is done to the other, which knows the day."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds since 1970."""


def wall() -> int:
    return time.time_ns() // 1_000_000


def steady() -> Clock:
    """A clock that begins at the wall's time and then never jumps."""
    begin = time.time_ns() - time.monotonic_ns()

    def now() -> int:
        return (begin + time.monotonic_ns()) // 1_000_000

    return now
