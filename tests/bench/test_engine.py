"""The engine's benchmark says what it is doing before it does it, from its first second on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radixa.bench import engine
from radixa.bench.ceilings import measure_machine
from radixa.bench.engine import bench_engine
from radixa.engine.base import EngineSettings
from radixa.models.shapes import SHAPES


def test_every_stage_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = replace(SHAPES["smollm2-135m"], layers=1, hidden_size=96, intermediate_size=128, vocab_size=256)
    monkeypatch.setitem(SHAPES, "tiny", replace(tiny, heads=3, kv_heads=1, head_size=32))
    monkeypatch.setattr(engine, "STEPS", 4)
    told: list[tuple[str, int, int]] = []
    settings = EngineSettings(model="random:tiny", dtype="float32", kv_tokens=4096, threads=1)

    def progress(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    report = bench_engine(settings, ["decode", "prefill:16", "shared-prefix:32"], [1, 2], 1, progress)
    assert [row.workload for row in report.rows] == ["decode", "decode", "prefill:16", *["shared-prefix:32"] * 2]
    stages = [
        "loading the model",
        "measuring the machine's matrix products",
        "measuring decode, batch 1",
        "measuring decode, batch 2",
        "measuring prefill:16",
        "measuring shared-prefix:32, batch 1",
        "measuring shared-prefix:32, batch 2",
    ]
    # Each is begun, as a wait of unknown length, and ended.
    assert told == [(stage, step, step) for stage in stages for step in (0, 1)]


@pytest.mark.parametrize(
    ("bfloat16", "full_size"), [(1.0, False), (9.0, False), (11.0, True), (400.0, True)], ids=lambda value: str(value)
)
def test_a_processor_without_bfloat16_is_not_measured_for_minutes(
    monkeypatch: pytest.MonkeyPatch, bfloat16: float, full_size: bool
) -> None:
    asked: list[tuple[str, int]] = []

    def rate(dtype: str, size: int = 2048) -> float:
        asked.append((dtype, size))
        return 100.0 if dtype == "float32" else bfloat16

    monkeypatch.setattr("radixa.models.probe.matmul_rate", rate)
    machine = measure_machine()
    assert (machine.float32_flops, machine.bfloat16_flops) == (100.0, bfloat16)
    assert ("float32", 2048) in asked
    assert (("bfloat16", 2048) in asked) == full_size
