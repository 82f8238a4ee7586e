"""What was spent before anybody here began to count: the ledger says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from radixa.gateway.limits.base import Bound
from radixa.gateway.limits.scope import DAY_MS, Spent, month_of, starts


@dataclass(frozen=True, slots=True)
class Spending:
    """The ledger's sums in nano-dollars. Both are synchronous, and called in threads."""

    account: Callable[[str], int]
    """Of an account, in all."""
    key: Callable[[str, int], int]
    """Of a key, since a Unix second; 0 is in all."""


def spent_before(spending: Spending, bound: Bound, today: int) -> Spent:
    """Of an account or a key. `today` is milliseconds since 1970 by the calendar's clock."""
    identifier = bound.name.partition(":")[2]
    day = today // DAY_MS
    if bound.kind == "account":
        return Spent(spending.account(identifier), day_at=day, month_at=month_of(day))
    since_day, since_month = starts(today)
    return Spent(
        total=spending.key(identifier, 0),
        day=spending.key(identifier, since_day),
        month=spending.key(identifier, since_month),
        day_at=day,
        month_at=month_of(day),
    )


def at_least(spent: Spent, ledger: Spent) -> None:
    """Take over what the ledger knows and `spent` does not: a process that died before it settled left it there.

    Sums only grow by this: the ledger is some tenths of a second behind what was settled.
    """
    spent.total = max(spent.total, ledger.total)
    if ledger.day_at == spent.day_at:
        spent.day = max(spent.day, ledger.day)
    if ledger.month_at == spent.month_at:
        spent.month = max(spent.month, ledger.month)
