"""The page of a replay: its table and its curves in one file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template

from radixa.bench.replay import ReplayResult
from radixa.bench.replay_curves import BELADY, INFINITE, Curve, curves, place

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 150, 16, 40
_COLOURS = ("#1d87b8", "#d9622b", "#62941f", "#9d54e0", "#d64545", "#1a948a")
"""Of policies, seen on a light page and on a dark one."""
_BOUNDS = {BELADY: "#6b7280", INFINITE: "#9ca3af"}

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Radixa replay: $name</title>
<style>
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2937; --line: #e5e7eb; }
@media (prefers-color-scheme: dark) { :root { --paper: #121614; --ink: #e3e8e4; --line: #2d3632; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 760px; padding: 0 1rem; color: var(--ink);
  background: var(--paper); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; margin: 1rem 0; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .axis { stroke: var(--line); }
</style>
<h1>$name</h1>
<p>$requests requests, $tokens prompt tokens. An infinite cache hits $bound; Belady's rate is that of a cache of the
same capacity that knows the future.</p>
$plot
<table>
<tr><th>policy</th><th>capacity</th><th>hit rate</th><th>Belady</th><th>match</th><th>insert</th><th>evict</th></tr>
$rows
</table>
</html>
""")


def page(name: str, results: Sequence[ReplayResult]) -> str:
    """The HTML of the replay of the trace called `name`."""
    first = results[0]
    return _PAGE.substitute(
        name=escape(name),
        requests=f"{first.requests:,}",
        tokens=f"{first.prompt_tokens:,}",
        bound=f"{first.bound:.2%}",
        plot=svg(curves(results)),
        rows="\n".join(_row(result) for result in results),
    )


def svg(drawn: Sequence[Curve]) -> str:
    """Hit rate over capacity, the capacities on a scale of doublings."""
    capacities = sorted({capacity for curve in drawn for capacity, _ in curve.points})
    low, high = capacities[0], capacities[-1]
    top = max(rate for curve in drawn for _, rate in curve.points) or 1.0

    def x(capacity: float) -> float:
        return _LEFT + place(capacity, low, high) * (_WIDTH - _LEFT - _RIGHT)

    def y(rate: float) -> float:
        return _TOP + (1 - rate / top) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Hit rate over capacity">']
    for step in range(5):
        rate = top * step / 4
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(rate):.1f}" y2="{y(rate):.1f}" class="axis"/>'
            f'<text x="{_LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:.0%}</text>'
        )
    parts += [
        f'<text x="{x(capacity):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{capacity:,}</text>'
        for capacity in capacities
    ]
    for number, curve in enumerate(drawn):
        colour = _BOUNDS.get(curve.name, _COLOURS[number % len(_COLOURS)])
        points = " ".join(f"{x(capacity):.1f},{y(rate):.1f}" for capacity, rate in curve.points)
        dashes = ' stroke-dasharray="5 4"' if curve.name in _BOUNDS else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [
            f'<circle cx="{x(capacity):.1f}" cy="{y(rate):.1f}" r="3" fill="{colour}"/>'
            for capacity, rate in curve.points
        ]
        height = _TOP + 12 + 20 * number
        parts.append(
            f'<line x1="{_WIDTH - _RIGHT + 16}" x2="{_WIDTH - _RIGHT + 40}" y1="{height}" y2="{height}" '
            f'stroke="{colour}" stroke-width="2"{dashes}/>'
            f'<text x="{_WIDTH - _RIGHT + 46}" y="{height + 4}">{escape(curve.name)}</text>'
        )
    return "".join(parts) + "</svg>"


def _row(result: ReplayResult) -> str:
    timing = result.timing_us
    times = (
        "" if time is None else f"{time:.1f} µs" for time in (timing.match_p50, timing.insert_p50, timing.evict_p50)
    )
    cells = (result.policy, f"{result.capacity:,}", f"{result.hit_rate:.2%}", f"{result.belady:.2%}", *times)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
