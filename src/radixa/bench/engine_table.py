"""The engine's figures as a table for the terminal."""

from __future__ import annotations

from rich.table import Table

from radixa.bench.engine import EngineReport, Row
from radixa.bench.engine_gpu import GpuReport


def engine_table(report: EngineReport) -> Table:
    machine = report.machine
    return _table(
        f"{report.model}, {report.dtype}, {report.ops} operations, {report.attention} attention\n"
        f"{machine.cpu}, {machine.threads} threads, torch {machine.torch}: "
        f"{machine.float32_flops / 1e9:.0f} GFLOP/s in float32, {machine.bfloat16_flops / 1e9:.0f} in bfloat16",
        report.rows,
    )


def gpu_table(report: GpuReport) -> Table:
    gpu = report.gpu
    return _table(
        f"{report.model}, {report.dtype}, {report.ops} operations, {report.attention} attention\n"
        f"{gpu.name}, driver {gpu.driver}, torch {gpu.torch}, triton {gpu.triton}: "
        f"{gpu.copy_bytes / 1e12:.2f} TB/s copied, {gpu.matrix_flops / 1e12:.0f} TFLOP/s in bfloat16",
        report.rows,
    )


def _table(title: str, rows: list[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("workload")
    table.add_column("batch", justify="right")
    table.add_column("figures")
    table.add_column("ratio", justify="right")
    for row in rows:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:,.4g}" for name, value in row.figures.items())
        table.add_row(row.workload, str(row.batch), figures, "" if row.ratio is None else f"{row.ratio:.3f}")
    return table
