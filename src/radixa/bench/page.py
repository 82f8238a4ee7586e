"""Reports as one self-contained HTML page, light and dark: what `radixa demo` leaves behind."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from string import Template

from radixa import __version__
from radixa.bench.base import Report, Run
from radixa.bench.tables import dollars
from radixa.bench.tables import percent as plain_percent
from radixa.core.machine import cpu_name

_WIDTH = 420
"""Width of a chart in the units of its view box."""
_NAME_WIDTH = 62
_ROW = 26


def page(reports: Sequence[Report]) -> str:
    """The page for at least one report, all of one model."""
    template = Template(files("radixa.bench").joinpath("page.html").read_text("utf-8"))
    computed = sum(report.reuse.computed_tokens for report in reports)
    asked = sum(report.reuse.prompt_tokens for report in reports)
    return template.substitute(
        headline=f"{percent(1 - computed / asked)} of the prompt tokens were not computed again",
        model=escape(reports[0].model),
        heads="".join(_head(report) for report in reports),
        sections="".join(_section(report) for report in reports),
        priced_as=escape(reports[0].priced_as),
        made=datetime.now().astimezone().strftime("Made %Y-%m-%d %H:%M"),
        cpu=escape(f"{cpu_name()} ({platform.system()}, Python {platform.python_version()})"),
        version=__version__,
    )


def _head(report: Report) -> str:
    return (
        f'<div class="head"><span>{escape(report.title)}</span><b>−{percent(report.prompt_cost_saved)}</b>'
        f'<span class="dim">of the prompt cost, and the first token {_sooner(report.ttft_saved)}</span></div>'
    )


def percent(share: float) -> str:
    """The sign stays with its number when a line breaks."""
    return plain_percent(share).replace(" ", "&nbsp;")


def _sooner(share: float) -> str:
    return f"{percent(share)} sooner" if share >= 0 else f"{percent(-share)} later"


def _section(report: Report) -> str:
    on = report.reuse
    return f"""<section>
<h2>{escape(report.title)}</h2>
<p class="dim">{len(on.measurements)} requests, {on.prompt_tokens:,} prompt tokens. Hit rate {percent(on.hit_rate)},
bound {percent(report.bound)}.</p>
<div class="grid">
<div><h3>Prompt tokens computed</h3>{_bars(report)}</div>
<div><h3>Time to the first token of each request, and the median</h3>{_dots(report)}</div>
</div>
<div class="scroll">{_table(report)}</div>
</section>
"""


def _bars(report: Report) -> str:
    """Tokens computed by both runs as bars, with the bound across them."""
    longest = report.force_miss.computed_tokens
    scale = (_WIDTH - _NAME_WIDTH - 60) / longest
    marks = []
    for row, (name, run) in enumerate(_runs(report)):
        y, width = row * _ROW, max(1.0, run.computed_tokens * scale)
        marks.append(f'<text x="0" y="{y + 16}">{_label(name)}</text>')
        marks.append(f'<rect class="{name}" x="{_NAME_WIDTH}" y="{y + 3}" width="{width:.1f}" height="17" rx="2"/>')
        marks.append(f'<text x="{_NAME_WIDTH + width + 6:.1f}" y="{y + 16}">{run.computed_tokens:,}</text>')
    bound = _NAME_WIDTH + (1 - report.bound) * report.reuse.prompt_tokens * scale
    marks.append(f'<line class="bound" x1="{bound:.1f}" x2="{bound:.1f}" y1="0" y2="{2 * _ROW}"/>')
    return _svg("".join(marks), 2 * _ROW, "Prompt tokens computed without and with reuse")


def _dots(report: Report) -> str:
    """One dot a request over a linear time axis, a tick at the median."""
    slowest = max(m.ttft for _, run in _runs(report) for m in run.measurements)
    scale = (_WIDTH - _NAME_WIDTH - 12) / slowest
    marks = []
    for row, (name, run) in enumerate(_runs(report)):
        y = row * _ROW + 12
        marks.append(f'<text x="0" y="{y + 4}">{_label(name)}</text>')
        marks += [
            f'<circle class="{name} dot" cx="{_NAME_WIDTH + m.ttft * scale:.1f}" cy="{y}" r="4"/>'
            for m in run.measurements
        ]
        median = _NAME_WIDTH + run.ttft(50) * scale
        marks.append(f'<line class="tick" x1="{median:.1f}" x2="{median:.1f}" y1="{y - 9}" y2="{y + 9}"/>')
    height = 2 * _ROW
    marks.append(f'<line class="axis" x1="{_NAME_WIDTH}" x2="{_WIDTH}" y1="{height}" y2="{height}"/>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = _NAME_WIDTH + share * slowest * scale
        text = f"{1000 * share * slowest:,.0f} ms" if share else "0"
        marks.append(f'<text class="small" x="{x:.1f}" y="{height + 14}" text-anchor="{anchor}">{text}</text>')
    return _svg("".join(marks), height + 18, "Time to the first token without and with reuse")


def _table(report: Report) -> str:
    on, off = report.reuse, report.force_miss
    costs, costs_off = report.reuse_cost, report.force_miss_cost
    rows = [
        ("Prompt cost", dollars(costs_off.prompt), dollars(costs.prompt), percent(report.prompt_cost_saved)),
        ("Total cost", dollars(costs_off.total), dollars(costs.total), percent(report.total_cost_saved)),
        ("First token, median", _ms(off.ttft(50)), _ms(on.ttft(50)), percent(report.ttft_saved)),
        ("First token, 95 %", _ms(off.ttft(95)), _ms(on.ttft(95)), percent(1 - on.ttft(95) / off.ttft(95))),
        ("All requests", f"{off.seconds:.1f} s", f"{on.seconds:.1f} s", percent(report.time_saved)),
    ]
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr><th></th><th>no reuse</th><th>reuse</th><th>saved</th></tr>{lines}</table>"


def _runs(report: Report) -> tuple[tuple[str, Run], tuple[str, Run]]:
    """Both runs by the name of their colour."""
    return ("none", report.force_miss), ("reuse", report.reuse)


def _label(name: str) -> str:
    return "no reuse" if name == "none" else name


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"


def _svg(marks: str, height: int, title: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">{marks}</svg>'
