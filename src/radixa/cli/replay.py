"""`radixa replay`: a trace against eviction policies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radixa.cli.common import ApiKey, Json, console, print_json, progress_bars

if TYPE_CHECKING:
    from radixa.bench.replay import ReplayResult


def replay(
    trace: Annotated[
        str,
        typer.Argument(help="JSONL: tokens ({prompt, output}) or blocks ({hash_ids}); or a ledger: database or URL."),
    ],
    policy: Annotated[list[str] | None, typer.Option("--policy", help="An eviction policy; may be repeated.")] = None,
    capacity: Annotated[
        list[int] | None, typer.Option("--capacity", min=1, help="Tokens, or blocks; may be repeated.")
    ] = None,
    page_size: Annotated[int, typer.Option("--page-size", min=1, help="Tokens a page; for token traces.")] = 1,
    retention_budget: Annotated[
        float,
        typer.Option("--retention-budget", min=0, max=1, help="Share of the capacity that TTLs may hold."),
    ] = 0.5,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write table and plot there, as one HTML page.")
    ] = None,
    per_request: Annotated[bool, typer.Option("--per-request", help="With --json: each request's hit tokens.")] = False,
    as_json: Json = False,
    api_key: ApiKey = None,
) -> None:
    """Replay a trace: the hit rate of each policy at each capacity, of an infinite cache, and Belady's.

    Belady's rate is that of a cache of the same capacity which knows the future. With several capacities, a plot.

    Example: radixa replay trace.jsonl --policy lru --policy default --capacity 100000 --capacity 400000
    """
    from radixa.bench.replay import replay as run
    from radixa.radix import POLICIES

    policies = policy or ["lru"]
    unknown = next((name for name in policies if name not in POLICIES), None)
    if unknown is not None:
        raise typer.BadParameter(
            f"no policy {unknown!r}; there are {', '.join(sorted(POLICIES))}", param_hint="--policy"
        )
    if per_request and not as_json:
        raise typer.BadParameter("only together with --json", param_hint="--per-request")
    with progress_bars() as progress:
        results = run(
            trace,
            policies,
            capacity or [100_000],
            page_size=page_size,
            retention_budget=retention_budget,
            api_key=api_key,
            progress=progress,
        )
    if html is not None:
        from radixa.bench.replay_page import page
        from radixa.core.addresses import without_password

        html.write_text(page(without_password(trace).rpartition("/")[2], results), "utf-8")
    if as_json:
        found = [result.as_json(per_request=per_request) for result in results]
        print_json(found[0] if len(found) == 1 else found)
    else:
        _show(results)


def _show(results: list[ReplayResult]) -> None:
    from rich.table import Table

    first = results[0]
    table = Table(
        title=f"{first.requests:,} requests, {first.prompt_tokens:,} prompt tokens; infinite cache: {first.bound:.2%}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("policy")
    for heading in ("capacity", "hit rate", "Belady", "match", "insert", "evict"):
        table.add_column(heading, justify="right")
    for result in results:
        timing = result.timing_us
        table.add_row(
            result.policy,
            f"{result.capacity:,}",
            f"{result.hit_rate:.2%}",
            f"{result.belady:.2%}",
            *(_micros(value) for value in (timing.match_p50, timing.insert_p50, timing.evict_p50)),
        )
    out = console()
    out.print(table)
    if len({result.capacity for result in results}) > 1:
        from radixa.bench.replay_curves import curves, text_plot

        out.print()
        for line in text_plot(curves(results)):
            out.print(line, markup=False)


def _micros(value: float | None) -> str:
    """A median time; nothing where it never happened."""
    return "" if value is None else f"{value:.1f} µs"
