"""What the GPU's benchmark measures, tried out on the CPU's engine: every row is made, and counts what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from radixa.bench import engine_gpu
from radixa.bench.engine_gpu import GpuBench, GpuReport
from radixa.bench.engine_table import gpu_table
from radixa.bench.gpu_ceilings import Gpu, weight_bytes
from radixa.bench.gpu_driver import Driver
from radixa.cli import bench as cli
from radixa.engine.base import EngineSettings
from radixa.engine.load import load_engine
from radixa.models.shapes import SHAPES, weight_shapes

GPU = Gpu("a GPU", "2", "3", "580", copy_bytes=3e12, matrix_flops=8e14)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> GpuBench:
    tiny = replace(SHAPES["smollm2-135m"], layers=1, hidden_size=96, intermediate_size=128, vocab_size=256)
    monkeypatch.setitem(SHAPES, "tiny", replace(tiny, heads=3, kv_heads=1, head_size=32))
    loop: Any = load_engine(EngineSettings(model="random:tiny", dtype="float32", kv_tokens=8192, threads=1))
    return GpuBench(GPU, loop, Driver(loop))


def test_every_row(bench: GpuBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_gpu, "OWN", 5)
    monkeypatch.setattr(engine_gpu, "NEW", 16)
    rows = [
        bench.decode(2, 24, 1, new=16),
        bench.shared(2, 40, 1),
        bench.prefixes(30, 1, count=2, each=2),
        bench.row("prefill:64", 0, 1),
        bench.prefill(64, 16, 1),
        bench.row("ttft:64", 0, 1),
        bench.mixed(1, sequences=1),
    ]
    names = ["decode:24", "shared-prefix:40", "prefixes:30", "prefill:0+64", "prefill:64+16", "ttft:64+32", "mixed"]
    assert [row.workload for row in rows] == names
    assert [row.batch for row in rows] == [2, 2, 4, 1, 1, 1, 1]
    assert all(value > 0 for row in rows for value in row.figures.values())
    bench.loop.cache.check_integrity()
    assert bench.loop.stats().leased == 0
    table = gpu_table(GpuReport(GPU, "random:tiny", "float32", "", "", rows))
    assert table.row_count == len(rows)
    with pytest.raises(ValueError, match="no workload 'nothing'"):
        bench.row("nothing", 1, 1)


def test_a_rate_counts_the_tokens_of_all_sequences(bench: GpuBench) -> None:
    for _ in range(3):
        bench.drive.submit([], 8, 40)
    assert bench.drive.decode_rate() > 0
    assert bench.loop.counters.generated_tokens == 3 * 40


def test_the_weights_of_a_step_are_those_that_are_read() -> None:
    """The head is read whole, an embedding of its own by a few rows, and norms weigh next to nothing."""
    config = SHAPES["llama-3-8b"]
    sizes = {name: shape[0] * shape[1] for name, shape in weight_shapes(config) if len(shape) == 2}
    assert weight_bytes(config) == 2 * (sum(sizes.values()) - sizes["model.embed_tokens.weight"])


def test_workloads_by_device() -> None:
    assert cli._checked("decode:1024", gpu=True) == "decode:1024"
    assert cli._checked("prefixes", gpu=True) == "prefixes"
    for workload, gpu in (("decode:1024", False), ("prefixes", False), ("nothing", True), ("mixed:3", True)):
        with pytest.raises(cli.typer.BadParameter, match="no workload"):
            cli._checked(workload, gpu=gpu)
