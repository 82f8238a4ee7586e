"""The report's pictures as inline SVG, coloured by the page's own style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from radixa.bench.base import Report, Run
from radixa.bench.tables import NOT_REPORTED, dollars, percent, tokens

_WIDTH = 420
"""Width of a picture in the units of its view box."""
_NAMES = 62
"""Of it, for the names at the left."""
_ROW = 26
_BAR = 17
_CURVE = 96
"""Height of the curves over the dots."""
_SPREAD = (0, -4, 4, -2, 2)
"""Dots of requests that follow each other lie beside each other, or those of equal times were one."""


def hits(reports: Sequence[Report]) -> str:
    """Under each report's title the bound as an outline, the hit rate as what of it is filled."""
    scale = _WIDTH - 122
    marks = []
    for row, report in enumerate(reports):
        y, rate = row * 2 * _ROW, report.reuse.hit_rate
        text = f"{percent(rate)} of {percent(report.bound)}" if rate is not None else NOT_REPORTED
        right = max(report.bound, rate or 0.0) * scale
        marks += [
            f'<text x="0" y="{y + 21}">{escape(_short(report.title))}</text>',
            _rect("possible", 0, y + _ROW, report.bound * scale),
            _rect("reuse", 0, y + _ROW, (rate or 0.0) * scale),
            f'<text x="{right + 6:.1f}" y="{y + _ROW + 16}">{text}</text>',
        ]
    return _svg(marks, len(reports) * 2 * _ROW, "Hit rates against their bounds")


def computed(report: Report) -> str:
    """Tokens computed by both runs, with the bound across them."""
    scale = (_WIDTH - _NAMES - 80) / report.force_miss.prompt_tokens
    marks = []
    for row, (name, run) in enumerate(_runs(report)):
        y, width = row * _ROW, (run.computed_tokens or 0) * scale
        marks += [
            _name(name, y),
            _rect(name, _NAMES, y, width),
            f'<text x="{_NAMES + width + 6:.1f}" y="{y + 16}">{tokens(run.computed_tokens)}</text>',
        ]
    bound = _NAMES + (1 - report.bound) * report.reuse.prompt_tokens * scale
    marks.append(f'<line class="bound" x1="{bound:.1f}" x2="{bound:.1f}" y1="0" y2="{2 * _ROW}"/>')
    return _svg(marks, 2 * _ROW, "Prompt tokens computed without and with reuse")


def cost(report: Report) -> str:
    """What both runs cost: prompts, then their answers in a lighter tone; nothing where that is not reported."""
    known = [found.total for found in (report.force_miss_cost, report.reuse_cost) if found.total is not None]
    scale = (_WIDTH - _NAMES - 80) / max([1, *known])
    marks = []
    for row, (name, found) in enumerate((("none", report.force_miss_cost), ("reuse", report.reuse_cost))):
        y, prompt, total = row * _ROW, (found.prompt or 0) * scale, (found.total or 0) * scale
        marks += [
            _name(name, y),
            _rect(f"{name} answers", _NAMES, y, total),
            _rect(name, _NAMES, y, prompt),
            f'<text x="{_NAMES + total + 6:.1f}" y="{y + 16}">{dollars(found.total)}</text>',
        ]
    return _svg(marks, 2 * _ROW, "Cost without and with reuse")


def first_tokens(report: Report) -> str:
    """The share of requests that had their first token by a time, as curves; under them a dot for each request.

    The time axis is linear and as long as the slowest request. A tick marks a median.
    """
    slowest = max(m.ttft for _, run in _runs(report) for m in run.measurements)
    scale = (_WIDTH - _NAMES - 12) / slowest
    bottom = _CURVE + 2 * _ROW + 6
    marks = []
    for share in (0.0, 0.5, 1.0):
        y = 4 + (1 - share) * (_CURVE - 4)
        marks.append(f'<line class="axis" x1="{_NAMES}" x2="{_WIDTH}" y1="{y:g}" y2="{y:g}"/>')
        marks.append(f'<text class="small" x="{_NAMES - 8}" y="{y + 4:g}" text-anchor="end">{share:.0%}</text>')
    for row, (name, run) in enumerate(_runs(report)):
        middle = _CURVE + 6 + row * _ROW + _ROW // 2
        times = [_NAMES + m.ttft * scale for m in run.measurements]
        dots = "".join(f"M{x:.1f} {middle + _SPREAD[place % len(_SPREAD)]}h0" for place, x in enumerate(times))
        median = _NAMES + run.ttft(50) * scale
        marks += [
            f'<path class="{name} curve" d="{_steps(sorted(times))}"/>',
            _name(name, middle - 12),
            f'<path class="{name} dots" d="{dots}"/>',
            f'<line class="tick" x1="{median:.1f}" x2="{median:.1f}" y1="{middle - 10}" y2="{middle + 10}"/>',
        ]
    marks.append(f'<line class="axis" x1="{_NAMES}" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = _NAMES + share * slowest * scale
        text = f"{1000 * share * slowest:,.0f} ms" if share else "0"
        marks.append(f'<text class="small" x="{x:.1f}" y="{bottom + 14}" text-anchor="{anchor}">{text}</text>')
    return _svg(marks, bottom + 18, "Time to the first token without and with reuse")


def _steps(times: Sequence[float]) -> str:
    """A path that rises by one request's share at each of these places."""
    rise = (_CURVE - 4) / len(times)
    path = "".join(f"H{x:.1f}V{_CURVE - rise * place:.1f}" for place, x in enumerate(times, 1))
    return f"M{_NAMES} {_CURVE}{path}H{_WIDTH}"


def _runs(report: Report) -> tuple[tuple[str, Run], tuple[str, Run]]:
    """Both runs by the name of their colour."""
    return ("none", report.force_miss), ("reuse", report.reuse)


def _name(name: str, y: float) -> str:
    return f'<text x="0" y="{y + 16}">{"no reuse" if name == "none" else name}</text>'


def _rect(kind: str, x: float, y: float, width: float) -> str:
    """Nothing for nothing; what is there at all is seen."""
    if width <= 0:
        return ""
    return f'<rect class="{kind}" x="{x:g}" y="{y + 3:g}" width="{max(1.0, width):.1f}" height="{_BAR}" rx="2"/>'


def _short(title: str, length: int = 58) -> str:
    return title if len(title) <= length else f"{title[: length - 1].rstrip()}…"


def _svg(marks: Iterable[str], height: int, title: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">{"".join(marks)}</svg>'
