"""Attention on a GPU, alone: microseconds a layer, against what memory and matrix units could do.

    python benchmarks/gpu/attention.py [--json FILE]     the tables
    python benchmarks/gpu/attention.py --fit             where sharing a node pays: tree time / flat time

Llama-3-8B's heads (32 query, 8 kv, size 128) in bf16, random data. A step's calls for several layers, each with K and V
of its own, are captured in a CUDA graph; a figure is the median of its replays, a layer. The floor of a decode step is
its bytes (every slot's K and V once, queries and outputs) over the measured copy bandwidth, or its operations over the
measured matrix rate, whichever is longer. The relative error is that of four rows against float64.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from pathlib import Path

import torch
import triton
from attention_cases import DECODE, PREFILL, SHAPE, Data, Step, ceilings, decode, microseconds, random_data, reference

from radixa.attention.base import TreeMode
from radixa.attention.triton.backend import TritonAttention

LENGTHS = (32, 64, 128, 256, 512, 1024)
OWN = (128, 1024)
SEQUENCES = (2, 3, 4, 5, 8, 16, 32, 64, 128, 256)


def timed(step: Step, data: Data, mode: TreeMode, check: bool = True) -> tuple[float, float]:
    """Microseconds a layer, and the relative error of some rows."""
    attention = TritonAttention(SHAPE, "cuda", mode)
    if all(layout.new == 1 for layout in step.layouts):
        plan = attention.reserve(step.rows)
        if attention.refill(plan, step.layouts) is None:
            raise SystemExit(f"the plan of {step.name} does not fit its buffers")
    else:
        plan = attention.plan(step.layouts)
    scale = SHAPE.size**-0.5
    out = torch.full(
        (step.rows, SHAPE.kv_heads * SHAPE.group * SHAPE.size), math.nan, dtype=data.q.dtype, device="cuda"
    )
    attention.attend(data.q, data.k[0], data.v[0], plan, scale, out)
    error = math.nan
    if check:
        rows = sorted({0, step.rows // 3, step.rows // 2, step.rows - 1})
        expected = reference(step, data, scale, rows)
        error = float((out[rows].double() - expected).norm() / expected.norm())
        if not error < 1e-2 or not out.isfinite().all():
            raise SystemExit(f"{step.name}: relative error {error}")
    layers = len(data.k)
    return microseconds(lambda i: attention.attend(data.q, data.k[i], data.v[i], plan, scale, out), layers), error


def table(limits: dict[str, float]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    print(f"\n{'decode step':24}{'flat us':>9}{'tree us':>9}{'ratio':>7}{'floor us':>9}{'reached':>8}{'error':>9}")
    for step in DECODE:
        data = random_data(step, SHAPE)
        floor = max(step.bytes(SHAPE) / limits["copy_tb_s"], step.flops(SHAPE) / limits["matmul_tflop_s"]) / 1e6
        flat, _ = timed(step, data, "off")
        tree, error = timed(step, data, "auto")
        print(
            f"{step.name:24}{flat:9.1f}{tree:9.1f}{flat / tree:7.2f}{floor:9.1f}{floor / tree:8.0%}{error:9.1e}",
            flush=True,
        )
        rows.append(
            {
                "step": step.name,
                "flat_us": flat,
                "tree_us": tree,
                "bytes": step.bytes(SHAPE),
                "flops": step.flops(SHAPE),
                "floor_us": floor,
                "error": error,
            }
        )
        del data
    print(f"\n{'prompt tokens':24}{'us':>9}{'TFLOP/s':>9}{'of rate':>8}{'error':>9}")
    for step in PREFILL:
        data = random_data(step, SHAPE)
        us, error = timed(step, data, "auto")
        rate = step.flops(SHAPE) / us / 1e6
        print(f"{step.name:24}{us:9.1f}{rate:9.1f}{rate / limits['matmul_tflop_s']:8.0%}{error:9.1e}", flush=True)
        rows.append({"step": step.name, "us": us, "flops": step.flops(SHAPE), "tflop_s": rate, "error": error})
        del data
    return rows


def fit() -> None:
    """Tree time / flat time of sequences with so many tokens of their own after one shared node."""
    for own in OWN:
        print(f"{own:>4} own" + "".join(f"{length:>8}" for length in LENGTHS))
        for sequences in SEQUENCES:
            ratios = []
            for length in LENGTHS:
                step = decode("", length, 1, sequences, own)
                data = random_data(step, SHAPE)
                tree, _ = timed(step, data, "on", check=False)
                flat, _ = timed(step, data, "off", check=False)
                ratios.append(tree / flat)
                del data
            print(f"{sequences:>8}" + "".join(f"{ratio:8.2f}" for ratio in ratios), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA device")
    torch.manual_seed(0)
    if options.fit:
        fit()
        return
    device = torch.cuda.get_device_name()
    limits = ceilings()
    print(f"{device}, torch {torch.__version__}, triton {triton.__version__}")
    print(f"copy {limits['copy_tb_s']:.2f} TB/s, matrix products {limits['matmul_tflop_s']:.0f} TFLOP/s")
    rows = table(limits)
    if options.json:
        result = {
            "device": device,
            "torch": torch.__version__,
            "triton": triton.__version__,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "shape": SHAPE._asdict(),
            "ceilings": limits,
            "rows": rows,
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
