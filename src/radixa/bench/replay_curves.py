"""Hit rate over capacity: the curves of a replay, and a plot of them in text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from radixa.bench.replay import ReplayResult

BELADY = "Belady"
INFINITE = "infinite cache"
_MARKS = "ox+#@%&$"
_BELADY_MARK = "^"
_INFINITE_MARK = "-"


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    points: tuple[tuple[int, float], ...]
    """Capacity and hit rate, by capacity."""


def curves(results: Sequence[ReplayResult]) -> list[Curve]:
    """One for each policy, then Belady's, then the bound of an infinite cache."""
    rates: dict[str, dict[int, float]] = {}
    for result in results:
        rates.setdefault(result.policy, {})[result.capacity] = result.hit_rate
    rates[BELADY] = {result.capacity: result.belady for result in results}
    rates[INFINITE] = {result.capacity: result.bound for result in results}
    return [Curve(name, tuple(sorted(points.items()))) for name, points in rates.items()]


def place(value: float, low: float, high: float) -> float:
    """Where `value` lies between two capacities, from 0 to 1, on a scale on which doubling is a step."""
    return log(value / low) / log(high / low) if high > low else 0.5


def text_plot(drawn: Sequence[Curve], width: int = 64, height: int = 16) -> list[str]:
    """Lines of text: the plot, its axes, and which mark stands for what.

    Of several marks in one place that of the first curve is seen.
    """
    capacities = sorted({capacity for curve in drawn for capacity, _ in curve.points})
    low, high = capacities[0], capacities[-1]
    top = max(rate for curve in drawn for _, rate in curve.points) or 1.0
    rows = [[" "] * width for _ in range(height)]
    marks = dict(zip((c.name for c in drawn if c.name not in (BELADY, INFINITE)), _MARKS * len(drawn), strict=False))
    marks |= {BELADY: _BELADY_MARK, INFINITE: _INFINITE_MARK}
    for curve in reversed(drawn):
        if curve.name == INFINITE:
            rows[0] = [_INFINITE_MARK] * width
            continue
        for capacity, rate in curve.points:
            column = round(place(capacity, low, high) * (width - 1))
            rows[height - 1 - round(rate / top * (height - 1))][column] = marks[curve.name]
    lines = []
    for number, row in enumerate(rows):
        rate = top * (height - 1 - number) / (height - 1)
        lines.append(f"{rate:6.1%} |{''.join(row)}" if number % 5 == 0 else f"{'':6} |{''.join(row)}")
    lines.append(f"{'':6} +{'-' * width}")
    left, right = f"{low:,}", f"{high:,}"
    lines.append(f"{'':8}{left}{right:>{width - len(left)}}")
    lines.append(f"{'':8}" + "   ".join(f"{marks[curve.name]} {curve.name}" for curve in drawn))
    return lines
