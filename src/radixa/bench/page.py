"""Reports as one self-contained HTML page, light and dark: what `radixa demo` and `radixa bench --html` write."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from string import Template

from radixa import __version__
from radixa.bench import plots
from radixa.bench.base import Report, saved
from radixa.bench.tables import NOT_REPORTED, dollars, milliseconds
from radixa.bench.tables import percent as plain_percent
from radixa.core.machine import cpu_name

_COUNTS = {1: "one workload", 2: "two workloads", 3: "three workloads"}


def page(reports: Sequence[Report]) -> str:
    """The page for at least one report, all of one model."""
    template = Template(files("radixa.bench").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        headline=_headline(reports),
        model=escape(reports[0].model),
        count=_COUNTS.get(len(reports), f"{len(reports)} workloads"),
        hits=plots.hits(reports),
        heads="".join(_head(report) for report in reports),
        sections="".join(_section(report) for report in reports),
        priced_as=escape(reports[0].priced_as),
        made=datetime.now().astimezone().strftime("Made %Y-%m-%d %H:%M"),
        cpu=escape(f"{cpu_name()} ({platform.system()}, Python {platform.python_version()})"),
        version=__version__,
    )


def _headline(reports: Sequence[Report]) -> str:
    """Over the reports whose servers say what was cached."""
    runs = [report.reuse for report in reports]
    known = [(run.computed_tokens, run.prompt_tokens) for run in runs if run.computed_tokens is not None]
    if not known:
        return "The server does not report what it cached"
    share = 1 - sum(computed for computed, _ in known) / sum(asked for _, asked in known)
    return f"{percent(share)} of the prompt tokens were not computed again"


def _head(report: Report) -> str:
    sooner = f"the first token {_sooner(report.ttft_saved)}"
    if report.prompt_cost_saved is None:
        figure, what = NOT_REPORTED, f"what was cached; {sooner}"
    else:
        figure, what = f"−{percent(report.prompt_cost_saved)}", f"of the prompt cost, and {sooner}"
    return f'<div class="head"><span>{escape(report.title)}</span><b>{figure}</b><span class="dim">{what}</span></div>'


def percent(share: float | None) -> str:
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
<div><h3>Prompt tokens computed</h3>{plots.computed(report)}
<h3>Cost: prompts, and answers in the lighter tone</h3>{plots.cost(report)}</div>
<div><h3>First token: share of requests by time, and each one</h3>{plots.first_tokens(report)}</div>
</div>
<div class="scroll">{_table(report)}</div>
</section>
"""


def _table(report: Report) -> str:
    on, off = report.reuse, report.force_miss
    costs, costs_off = report.reuse_cost, report.force_miss_cost
    rows = [
        ("Prompt cost", dollars(costs_off.prompt), dollars(costs.prompt), percent(report.prompt_cost_saved)),
        ("Total cost", dollars(costs_off.total), dollars(costs.total), percent(report.total_cost_saved)),
        ("First token, median", milliseconds(off.ttft(50)), milliseconds(on.ttft(50)), percent(report.ttft_saved)),
        (
            "First token, 95 %",
            milliseconds(off.ttft(95)),
            milliseconds(on.ttft(95)),
            percent(saved(off.ttft(95), on.ttft(95))),
        ),
        ("All requests", f"{off.seconds:.1f} s", f"{on.seconds:.1f} s", percent(report.time_saved)),
    ]
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr><th></th><th>no reuse</th><th>reuse</th><th>saved</th></tr>{lines}</table>"
