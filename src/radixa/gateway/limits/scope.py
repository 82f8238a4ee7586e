"""What is counted in one scope. It is plain data, which packs to bytes: in memory, in a row, in both alike.

What belongs to running requests is kept by process, so that it can lapse with the process.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from radixa.gateway.limits.window import Window, forget

DAY_MS = 86_400_000


class Spent(msgspec.Struct, array_like=True):
    """Nano-dollars that were settled, in all and in the current day and month (UTC), and those still reserved."""

    total: int = 0
    day: int = 0
    month: int = 0
    day_at: int = 0
    """Days since 1970."""
    month_at: int = 0
    """Months since year 0."""
    reserved: dict[str, int] = {}

    @property
    def held(self) -> int:
        return sum(self.reserved.values())


class Scope(msgspec.Struct, array_like=True):
    """One scope's counters. `spent` is None until it was read from the ledger."""

    requests: Window = msgspec.field(default_factory=Window)
    tokens: Window = msgspec.field(default_factory=Window)
    running: dict[str, int] = {}
    spent: Spent | None = None
    jumps: int = 0
    """How often the clock was found put back: what was counted before lies in other seconds now."""

    @property
    def idle(self) -> bool:
        return not (self.requests.buckets or self.tokens.buckets or self.running)


def advance(scope: Scope, now: int, today: int) -> None:
    """Let go of what no longer counts at `now`; `today` is milliseconds since 1970 by the calendar's clock."""
    back = forget(scope.requests, now)
    if forget(scope.tokens, now) or back:
        scope.jumps += 1
    spent = scope.spent
    if spent is not None:
        day = today // DAY_MS
        # A day is never begun twice, whatever the clock does.
        if day > spent.day_at:
            spent.day_at, spent.day = day, 0
            month = month_of(day)
            if month > spent.month_at:
                spent.month_at, spent.month = month, 0


def hold(counts: dict[str, int], process: str, amount: int) -> None:
    """Add to what `process` holds, or take from it; nobody holds less than nothing."""
    left = counts.get(process, 0) + amount
    if left > 0:
        counts[process] = left
    else:
        counts.pop(process, None)


def lapse(scope: Scope, alive: Collection[str]) -> None:
    """Let go of what processes held that are no longer there."""
    for held in (scope.running, scope.spent.reserved if scope.spent is not None else {}):
        for process in [found for found in held if found not in alive]:
            del held[process]


@lru_cache(maxsize=4)
def month_of(day: int) -> int:
    date = datetime.fromtimestamp(day * 86_400, UTC)
    return date.year * 12 + date.month - 1


def starts(today: int) -> tuple[int, int]:
    """When this day and this month began, in Unix seconds."""
    day = today // DAY_MS * 86_400
    return day, int(datetime.fromtimestamp(day, UTC).replace(day=1).timestamp())
