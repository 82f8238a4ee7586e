"""Reports as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from radixa.bench.base import Report


def scenario_table(report: Report) -> Table:
    """Everything about one scenario, with and without reuse."""
    table = Table(
        title=f"{report.title} on {report.model}: {len(report.reuse.measurements)} requests", title_justify="left"
    )
    table.add_column("")
    for heading in ("no reuse", "reuse", "saved"):
        table.add_column(heading, justify="right")
    on, off = report.reuse, report.force_miss
    table.add_row("hit rate", percent(off.hit_rate), percent(on.hit_rate), f"bound {percent(report.bound)}")
    _row(table, "prompt tokens computed", off.computed_tokens, on.computed_tokens, "{:,.0f}")
    _row(table, f"prompt cost at {report.priced_as}", report.force_miss_cost.prompt, report.reuse_cost.prompt, "$")
    _row(table, f"total cost at {report.priced_as}", report.force_miss_cost.total, report.reuse_cost.total, "$")
    _row(table, "time to first token, median", 1000 * off.ttft(50), 1000 * on.ttft(50), "{:,.0f} ms")
    _row(table, "time to first token, 95 %", 1000 * off.ttft(95), 1000 * on.ttft(95), "{:,.0f} ms")
    _row(table, "time for all requests", off.seconds, on.seconds, "{:.1f} s")
    faster = on.tokens_per_second / off.tokens_per_second
    table.add_row(
        "generated tokens a second", f"{off.tokens_per_second:.0f}", f"{on.tokens_per_second:.0f}", f"{faster:.1f} ×"
    )
    return table


def _row(table: Table, name: str, off: float, on: float, form: str) -> None:
    texts = [dollars(int(value)) if form == "$" else form.format(value) for value in (off, on)]
    table.add_row(name, *texts, percent(1 - on / off))


def summary_table(reports: Iterable[Report]) -> Table:
    """One line for each scenario: hits, cost and latency, without reuse → with it."""
    table = Table()
    table.add_column("scenario")
    for heading in (
        "requests",
        "hit rate",
        "bound",
        "prompt tokens computed",
        "prompt cost",
        "saved",
        "first token",
        "sooner",
    ):
        table.add_column(heading, justify="right")
    for report in reports:
        on, off = report.reuse, report.force_miss
        table.add_row(
            report.title,
            str(len(on.measurements)),
            percent(on.hit_rate),
            percent(report.bound),
            f"{off.computed_tokens:,} → {on.computed_tokens:,}",
            f"{dollars(report.force_miss_cost.prompt)} → {dollars(report.reuse_cost.prompt)}",
            percent(report.prompt_cost_saved),
            f"{1000 * off.ttft(50):,.0f} → {1000 * on.ttft(50):,.0f} ms",
            percent(report.ttft_saved),
        )
    return table


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def dollars(nano: int) -> str:
    """Nano-dollars to four decimals: a scenario costs cents."""
    return f"${nano / 1e9:.4f}"
