"""Rates and shares from successive readings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise

from radixa.cli.top.base import Figures, Reading, Tier

KEPT = 120
"""Readings that are remembered, and points of a curve."""
RATE_SECONDS = 5.0
"""A rate is of this long: shorter, it would jump with every step of a batch."""
SHARE_SECONDS = 60.0

GENERATED = ("radixa_engine_generated_tokens_total", "radixa_completion_tokens_total")
"""The engine's counter moves with every token; the gateway's, where there is no engine, when an answer ends."""
PROMPT = ("radixa_prompt_tokens_total",)
CACHED = ("radixa_cached_tokens_total",)
COMPUTED = ("radixa_engine_computed_tokens_total",)
REUSED = ("radixa_engine_cached_tokens_total", *CACHED)
REQUESTS = ("radixa_requests_total",)
REFUSED = "radixa_refused_total"
_COUNTERS = (*GENERATED, *PROMPT, *CACHED, *COMPUTED, *REUSED, *REQUESTS)


class History:
    """The last readings of one server, and what changed between them."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT)

    def add(self, reading: Reading) -> None:
        """Remember it. A counter that fell is another process's: nothing is compared with what was before."""
        if self._readings:
            before, now = self._readings[-1].metrics, reading.metrics
            if any(now[name] < before[name] for name in _COUNTERS if name in now and name in before):
                self._readings.clear()
        self._readings.append(reading)

    def figures(self) -> Figures:
        """Of the newest reading and those before it, of which there must be one."""
        newest = self._readings[-1]
        metrics = newest.metrics
        has_engine = metrics.get("radixa_engine_up") == 1
        return Figures(
            model=newest.model,
            answering=int(metrics.get("radixa_requests_running", 0)),
            computing=int(metrics["radixa_engine_running"]) if has_engine else None,
            waiting=int(metrics["radixa_engine_waiting"]) if has_engine else None,
            requests_per_second=self.rate(REQUESTS),
            refused=int(metrics.get(REFUSED, 0)),
            generated_per_second=self.rate(GENERATED),
            computed_per_second=self.rate(COMPUTED),
            reused_per_second=self.rate(REUSED),
            hit_rate=self._hit_rate(),
            hit_rate_since_start=_share(metrics.get(CACHED[0], 0), metrics.get(PROMPT[0], 0)),
            tiers=tuple(_tiers(newest)),
        )

    def rate(self, names: tuple[str, ...]) -> float | None:
        """A second, over the last `RATE_SECONDS`, of the first counter of these names that the server has."""
        before, newest = self._since(RATE_SECONDS), self._readings[-1]
        return _rate(before, newest, names)

    def curve(self, names: tuple[str, ...]) -> list[float]:
        """The rate between each two readings, oldest first."""
        found = list(self._readings)
        rates = (_rate(before, after, names) for before, after in pairwise(found))
        return [0.0 if rate is None else rate for rate in rates]

    def hit_curve(self) -> list[float]:
        """The hit rate of the `RATE_SECONDS` before each reading, 0 where there was no prompt."""
        found = list(self._readings)
        points = []
        for place, after in enumerate(found):
            before = next(reading for reading in found[: place + 1] if after.at - reading.at <= RATE_SECONDS)
            points.append(_share(_grown(before, after, CACHED[0]), _grown(before, after, PROMPT[0])) or 0.0)
        return points

    def _hit_rate(self) -> float | None:
        before, newest = self._since(SHARE_SECONDS), self._readings[-1]
        return _share(_grown(before, newest, CACHED[0]), _grown(before, newest, PROMPT[0]))

    def _since(self, seconds: float) -> Reading:
        """The oldest reading of the last `seconds`; the last but one where that is older, as after a pause."""
        newest = self._readings[-1]
        recent = next(reading for reading in self._readings if newest.at - reading.at <= seconds)
        return self._readings[-2] if recent is newest and len(self._readings) > 1 else recent


def _rate(before: Reading, after: Reading, names: tuple[str, ...]) -> float | None:
    name = next((name for name in names if name in before.metrics and name in after.metrics), None)
    if name is None or after.at <= before.at:
        return None
    return _grown(before, after, name) / (after.at - before.at)


def _grown(before: Reading, after: Reading, name: str) -> float:
    return after.metrics.get(name, 0) - before.metrics.get(name, 0)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _tiers(reading: Reading) -> Iterator[Tier]:
    """The engine's memory, and the tier below it where there is one; nothing without an engine."""
    metrics, reused = reading.metrics, {tier: int(count) for tier, count in reading.reused.items()}
    if "radixa_engine_capacity" in metrics:
        evictable = int(metrics["radixa_engine_evictable"])
        held = int(metrics["radixa_engine_tree"] + metrics["radixa_engine_leased"])
        yield Tier(
            "device", int(metrics["radixa_engine_capacity"]), held - evictable, evictable, reused.get("device", 0)
        )
    for name in ("host", "disk"):
        if f"radixa_{name}_budget" in metrics and reading.bytes_per_token:
            used = metrics[f"radixa_{name}_bytes"]
            yield Tier(
                name,
                int(metrics[f"radixa_{name}_budget"]) // reading.bytes_per_token,
                0,
                int(used) // reading.bytes_per_token,
                reused.get(name, 0),
                f"{used / 2**20:,.0f} MiB",
            )
