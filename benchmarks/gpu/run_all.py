"""Every figure of the engine on one GPU, and of its attention alone, within ten minutes, as tables and a JSON file.

    python benchmarks/gpu/run_all.py FOLDER [--quick]

`docs/gpu.md` says what the rows mean. FOLDER gets `gpu-DATE.json`: the device's name, versions, ceilings measured in
the same run, and every row. Random weights, greedy, medians.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console

import attention
from radixa.bench.engine import Row
from radixa.bench.engine_gpu import GpuBench, GpuReport
from radixa.bench.engine_table import gpu_table
from radixa.engine.base import EngineSettings

LLAMA, QWEN = "random:llama-3-8b", "random:qwen3-0.6b"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="one repeat of each")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device here")
    started = time.perf_counter()
    alone = attention.measure()
    torch.cuda.empty_cache()
    reports = [llama(1 if given.quick else 3, started)]
    gc.collect()
    torch.cuda.empty_cache()
    reports.append(qwen(1 if given.quick else 2, started))
    console = Console(width=170)
    for report in reports:
        console.print(gpu_table(report))
    date = datetime.now(UTC).strftime("%Y-%m-%d-%H%M")
    given.folder.mkdir(parents=True, exist_ok=True)
    found = {
        "date": date,
        "seconds": time.perf_counter() - started,
        "reports": [asdict(report) for report in reports],
        "attention": alone,
    }
    (given.folder / f"gpu-{date}.json").write_text(json.dumps(found, indent=1) + "\n")


def llama(repeats: int, started: float) -> GpuReport:
    bench, report = load(LLAMA)
    few = min(repeats, 2)

    def add(row: Row) -> None:
        print(f"[{time.perf_counter() - started:5.0f} s] {row.workload} x {row.batch}: {row.figures}", flush=True)
        report.rows.append(row)

    for batch in (1, 32, 128):
        add(bench.decode(batch, 1024, few))
    for batch in (1, 128):
        row, kernels = bench.busy(batch, 1024)
        add(row)
        print(kernels if batch == 128 else "", flush=True)
    for prefix, batches in ((8192, (32, 128, 256)), (32768, (32, 128))):
        for batch in batches:
            add(bench.shared(batch, prefix, few))
    add(bench.prefixes(4096, few))
    for cached, new in ((0, 4096), (0, 16384), (8192, 1024)):
        add(bench.prefill(cached, new, repeats))
    add(bench.ttft(8192, 32, repeats))
    for batch in (1, 32, 128):
        add(bench.tree_and_flat("unshared", batch, bench.unshared_prompts(batch)))
    for batch in (32, 128):
        add(bench.tree_and_flat("8192", batch, bench.shared_prompts(batch, 8192)))
    add(bench.tree_and_flat("10x4096", 120, bench.shared_prompts(12, 4096, heads=10)))
    add(bench.mixed(few))
    bench.loop.cache.check_integrity()
    return report


def qwen(repeats: int, started: float) -> GpuReport:
    bench, report = load(QWEN)
    for batch in (1, 32, 128):
        report.rows.append(bench.decode(batch, 1024, repeats))
    report.rows.append(bench.mixed(repeats))
    print(f"[{time.perf_counter() - started:5.0f} s] {QWEN} done", flush=True)
    return report


def load(model: str) -> tuple[GpuBench, GpuReport]:
    bench = GpuBench.load(EngineSettings(model=model, device="cuda"))
    info = bench.loop.info
    return bench, GpuReport(bench.gpu, info.model, info.dtype, info.attention, info.ops)


if __name__ == "__main__":
    main()
