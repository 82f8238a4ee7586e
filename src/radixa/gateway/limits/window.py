"""An exact sliding minute, in sixty-one buckets of a second.

An amount counts until the whole second that it came in is 60 s old. So in no 60 s, wherever they begin, is more than
the limit admitted; the price is that an amount may count for up to a second longer. All of it is integers: milliseconds
in, milliseconds out, so that `wait` names the very millisecond at which there is room.
"""

from __future__ import annotations

import msgspec

SPAN = 61
"""Seconds after the beginning of its own at which an amount no longer counts."""


class Window(msgspec.Struct, array_like=True):
    """What came when: seconds since 1970 to amounts, oldest first, and their sum. `forget` first, then all else."""

    total: int = 0
    buckets: dict[int, int] = {}


def forget(window: Window, now: int) -> bool:
    """Drop what no longer counts at `now`; returns whether the clock was found put back.

    Where the clock was put back, what lies in its future is taken to have come now: it counts a minute from now at
    most, and never shorter than it should.
    """
    buckets = window.buckets
    if not buckets:
        return False
    second = now // 1000
    back = next(reversed(buckets)) > second
    if back:
        late = [at for at in buckets if at >= second]
        moved = sum(buckets.pop(at) for at in late)
        buckets[second] = moved
    oldest = second - SPAN
    while buckets and (first := next(iter(buckets))) <= oldest:
        window.total -= buckets.pop(first)
    return back


def add(window: Window, now: int, amount: int) -> None:
    """Count `amount` at `now`, after `forget`."""
    second = now // 1000
    window.buckets[second] = window.buckets.get(second, 0) + amount
    window.total += amount


def correct(window: Window, second: int, change: int) -> None:
    """Change what was counted in `second`, where it still counts."""
    found = window.buckets.get(second)
    if found is None:
        return
    corrected = max(0, found + change)
    window.total += corrected - found
    if corrected:
        window.buckets[second] = corrected
    else:
        del window.buckets[second]


def wait(window: Window, now: int, amount: int, limit: int) -> int | None:
    """Milliseconds from `now` until `amount` more fits under `limit`; 0 for at once, None for never."""
    excess = window.total + amount - limit
    if excess <= 0:
        return 0
    if amount > limit:
        return None
    for second, counted in window.buckets.items():
        excess -= counted
        if excess <= 0:
            return (second + SPAN) * 1000 - now
    raise AssertionError("a window's sum is more than its parts")


def empty_in(window: Window, now: int) -> int:
    """Milliseconds from `now` until nothing counts any more."""
    return (next(reversed(window.buckets)) + SPAN) * 1000 - now if window.buckets else 0
