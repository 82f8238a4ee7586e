"""Reports as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from radixa.bench.base import Report, saved

NOT_REPORTED = "not reported"
"""Stands for what a server does not tell: no cached tokens are not zero cached tokens."""


def scenario_table(report: Report) -> Table:
    """Everything about one scenario, with and without reuse."""
    table = Table(
        title=f"{report.title} on {report.model}: {len(report.reuse.measurements)} requests", title_justify="left"
    )
    table.add_column("")
    for heading in ("no reuse", "reuse", "saved"):
        table.add_column(heading, justify="right")
    on, off = report.reuse, report.force_miss
    cost, cost_off = report.reuse_cost, report.force_miss_cost
    table.add_row("hit rate", percent(off.hit_rate), percent(on.hit_rate), f"bound {percent(report.bound)}")
    for name, without, with_reuse, shown in (
        ("prompt tokens computed", off.computed_tokens, on.computed_tokens, tokens),
        (f"prompt cost at {report.priced_as}", cost_off.prompt, cost.prompt, dollars),
        (f"total cost at {report.priced_as}", cost_off.total, cost.total, dollars),
    ):
        table.add_row(name, shown(without), shown(with_reuse), percent(saved(without, with_reuse)))
    for name, seconds_off, seconds, form in (
        ("time to first token, median", off.ttft(50), on.ttft(50), milliseconds),
        ("time to first token, 95 %", off.ttft(95), on.ttft(95), milliseconds),
        ("time for all requests", off.seconds, on.seconds, "{:.1f} s".format),
    ):
        table.add_row(name, form(seconds_off), form(seconds), percent(saved(seconds_off, seconds)))
    faster = on.tokens_per_second / off.tokens_per_second
    table.add_row(
        "generated tokens a second", f"{off.tokens_per_second:.0f}", f"{on.tokens_per_second:.0f}", f"{faster:.1f} ×"
    )
    return table


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
            _change(tokens(off.computed_tokens), tokens(on.computed_tokens)),
            _change(dollars(report.force_miss_cost.prompt), dollars(report.reuse_cost.prompt)),
            percent(report.prompt_cost_saved),
            f"{1000 * off.ttft(50):,.0f} → {1000 * on.ttft(50):,.0f} ms",
            percent(report.ttft_saved),
        )
    return table


def _change(off: str, on: str) -> str:
    return off if off == on == NOT_REPORTED else f"{off} → {on}"


def percent(share: float | None) -> str:
    return NOT_REPORTED if share is None else f"{100 * share:.1f} %"


def dollars(nano: int | None) -> str:
    """Nano-dollars to four decimals: a scenario costs cents."""
    return NOT_REPORTED if nano is None else f"${nano / 1e9:.4f}"


def tokens(number: int | None) -> str:
    return NOT_REPORTED if number is None else f"{number:,}"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"
