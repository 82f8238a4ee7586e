"""Figures as a person reads them: money, counts, shares, times. Filters of the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

NOTHING = "–"
"""For what is not known, or does not exist."""
_NANO = Decimal(10**9)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
_SHORT = ((10**9, "B"), (10**6, "M"), (10**4, "k"))


def money(nano: int | None) -> str:
    """Nano-dollars: cents where it is a dollar or more, three digits that count where it is less than a cent."""
    if nano is None:
        return NOTHING
    amount = abs(Decimal(nano) / _NANO)
    sign = "-" if nano < 0 else ""
    if not nano:
        return "$0"
    places = 2 if amount >= 1 else 4 if amount >= Decimal("0.01") else min(9, 2 - amount.adjusted())
    text = f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,f}"
    return f"{sign}${text if amount >= 1 else text.rstrip('0').rstrip('.')}"


def dollars(amount: float | None) -> str:
    """Dollars, such as a limit or a price per million tokens."""
    return NOTHING if amount is None else f"${amount:,.10f}".rstrip("0").rstrip(".")


def number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def short(value: int | None) -> str:
    """A count in at most four figures: 12.3k, 4.56M."""
    if value is None:
        return NOTHING
    for size, letter in _SHORT:
        if value >= size:
            unit = 1_000 if letter == "k" else size
            return f"{value / unit:.3g}{letter}" if value / unit < 1_000 else f"{value / unit:,.0f}{letter}"
    return f"{value:,}"


def share(part: int, whole: int) -> float | None:
    """Per cent; None of nothing."""
    return 100 * part / whole if whole else None


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f} %"


def ms(value: float | None) -> str:
    """Milliseconds, as seconds from ten on."""
    if value is None:
        return NOTHING
    return f"{value / 1e3:.1f} s" if value >= 10_000 else f"{value:,.0f} ms"


def when(seconds: float | None) -> str:
    """A moment in UTC, to the minute."""
    return _written(seconds, "%Y-%m-%d %H:%M")


def day(seconds: float | None) -> str:
    """The day in UTC."""
    return _written(seconds, "%Y-%m-%d")


def _written(seconds: float | None, form: str) -> str:
    if seconds is None:
        return NOTHING
    # A key may be said to end after the last year that there is here.
    return datetime.fromtimestamp(min(seconds, _LAST), UTC).strftime(form)


def plain(amount: float) -> str:
    """A number for a field of a form."""
    return f"{amount:.9f}".rstrip("0").rstrip(".")


def shown(value: Any, name: str) -> str:
    """A value by the filter of that name."""
    text: str = FILTERS[name](value)
    return text


FILTERS: Mapping[str, Callable[..., Any]] = {
    "money": money,
    "dollars": dollars,
    "number": number,
    "short": short,
    "percent": percent,
    "ms": ms,
    "when": when,
    "day": day,
    "plain": plain,
    "shown": shown,
}
