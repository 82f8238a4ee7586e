"""A stretch of time cut into whole days, whole hours, and what is left at its ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """`low` <= time < `high`, None where it has no end; both are multiples of `width`, which is 0 for single rows.

    Only a window of the largest width has no end, or reaches over more than one stretch of that width.
    """

    width: int
    low: float | None
    high: float | None


def windows(since: float | None, until: float | None, widths: Sequence[int]) -> Iterator[Window]:
    """Windows that together are `since` <= time < `until`, none of them empty; `widths` from the largest down."""
    if since is not None and until is not None and since >= until:
        return
    if not widths:
        yield Window(0, since, until)
        return
    width, smaller = widths[0], widths[1:]
    # The remainder of a division of floats is exact, so these agree with how a row's stretch is found.
    low = None if since is None else -int(-since // width) * width
    high = None if until is None else int(until // width) * width
    if low is not None and high is not None and low > high:
        yield from windows(since, until, smaller)
        return
    if low is None or high is None or low < high:
        yield Window(width, low, high)
    if since is not None:
        yield from windows(since, low, smaller)
    if until is not None:
        yield from windows(high, until, smaller)
