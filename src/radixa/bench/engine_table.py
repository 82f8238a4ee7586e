"""The engine's figures as a table for the terminal."""

from __future__ import annotations

from rich.table import Table

from radixa.bench.engine import EngineReport


def engine_table(report: EngineReport) -> Table:
    machine = report.machine
    table = Table(
        title=f"{report.model}, {report.dtype}, {report.ops} operations, {report.attention} attention\n"
        f"{machine.cpu}, {machine.threads} threads, torch {machine.torch}: "
        f"{machine.float32_flops / 1e9:.0f} GFLOP/s in float32, {machine.bfloat16_flops / 1e9:.0f} in bfloat16",
        title_justify="left",
    )
    table.add_column("workload")
    table.add_column("batch", justify="right")
    table.add_column("figures")
    table.add_column("ratio", justify="right")
    for row in report.rows:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:,.4g}" for name, value in row.figures.items())
        table.add_row(row.workload, str(row.batch), figures, "" if row.ratio is None else f"{row.ratio:.3f}")
    return table
