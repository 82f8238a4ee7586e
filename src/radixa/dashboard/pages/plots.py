"""Figures by day as the plots in `static/plots.js` take them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from radixa.dashboard.base import Visit
from radixa.dashboard.figures import share

_NANO = 1e9


def columns(visit: Visit, days: Sequence[dict[str, Any]]) -> str:
    """JSON: seconds, then cost and savings in dollars and the hit rate in per cent, oldest first; the plots' labels.

    Days without requests have none of them.
    """
    rates = [share(day["cached_tokens"], day["prompt_tokens"]) for day in days]
    return msgspec.json.encode(
        {
            "x": [datetime.fromisoformat(day["day"]).replace(tzinfo=UTC).timestamp() for day in days],
            "cost": [_dollars(day["cost_nano_usd"]) for day in days],
            "saved": [_dollars(day["saved_nano_usd"]) for day in days],
            "rate": rates,
            "words": {name: visit.word(f"usage.{name}") for name in ("cost", "saved", "hit_rate", "date")},
        }
    ).decode()


def _dollars(nano: int | None) -> float | None:
    return None if nano is None else nano / _NANO
