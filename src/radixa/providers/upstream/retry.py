"""When to try again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

MOST_WAIT_S = 5.0
"""A caller is kept waiting for no longer than this between two tries: what asks for more is passed on at once."""
_FIRST_S = 0.25
_LONGEST_S = 86_400.0


def backoff(tries: int) -> float:
    """Seconds to wait after `tries` failures, at least 1: exponential, with full jitter."""
    return random.uniform(0, min(MOST_WAIT_S, _FIRST_S * 2**tries))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that `retry-after-ms` or `retry-after` (seconds, or a date) ask for; None where they ask for nothing.

    `now`: what a date is compared with, by default the clock.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, _LONGEST_S)
    given = headers.get("retry-after")
    if given is None:
        return None
    seconds = _number(given)
    if seconds is None:
        try:
            date = parsedate_to_datetime(given)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
    return min(seconds, _LONGEST_S)


def wait(tries: int, asked: float | None) -> float | None:
    """Seconds until the next try after `tries` failures; None where the upstream asked for more than anyone waits.

    What it asked for is kept to, and spread a little: everybody was told the same.
    """
    if asked is None:
        return backoff(tries)
    if asked > MOST_WAIT_S:
        return None
    return asked + random.uniform(0, 0.1 * asked + 0.05)


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if isfinite(found) and found >= 0 else None
