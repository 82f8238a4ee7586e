"""Attention on a GPU, alone: microseconds a layer, against what memory and matrix units could do.

    python benchmarks/gpu/attention.py [--json FILE]     the tables
    python benchmarks/gpu/attention.py --fit [--backend flashinfer]     where sharing a node pays: tree time / flat time

Llama-3-8B's heads (32 query, 8 kv, size 128) in bf16, random data. A step's calls for several layers, each with K and V
of its own, are captured in a CUDA graph; a figure is the median of its replays, a layer. The floor of a decode step is
its bytes (every slot's K and V once, queries and outputs) over the measured copy bandwidth, or its operations over the
measured matrix rate, whichever is longer. The relative error is that of four rows against float64.

Where FlashInfer is installed its kernels do the same steps (`attention_flashinfer.py`). `gain` is the better of the two
flat kernels over our tree.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from pathlib import Path
from typing import Any

import attention_flashinfer
import torch
import triton
from attention_cases import (
    DECODE,
    PREFILL,
    SHAPE,
    Data,
    Step,
    ceilings,
    check,
    decode,
    microseconds,
    random_data,
)

from radixa.attention.base import TreeMode
from radixa.attention.select import CudaKernels, make_cuda_attention
from radixa.attention.triton.backend import TritonAttention

LENGTHS = (32, 64, 128, 256, 512, 1024)
OWN = (128, 1024)
SEQUENCES = (2, 3, 4, 5, 8, 16, 32, 64, 128, 256)


def in_place(attention: Any, step: Step) -> Any:
    """A decode step's plan as the engine has it, for a graph."""
    plan = attention.reserve(step.rows)
    if attention.refill(plan, step.layouts) is None:
        raise SystemExit(f"the plan of {step.name} does not fit its buffers")
    return plan


def timed(step: Step, data: Data, mode: TreeMode) -> tuple[float, float]:
    """Microseconds a layer of our kernels, and the relative error of some rows."""
    attention = TritonAttention(SHAPE, "cuda", mode)
    decodes = all(layout.new == 1 for layout in step.layouts)
    plan = in_place(attention, step) if decodes else attention.plan(step.layouts)
    scale = SHAPE.size**-0.5
    out = torch.full(
        (step.rows, SHAPE.kv_heads * SHAPE.group * SHAPE.size), math.nan, dtype=data.q.dtype, device="cuda"
    )
    attention.attend(data.q, data.k[0], data.v[0], plan, scale, out)
    error = check(step, data, out)
    layers = len(data.k)
    return microseconds(lambda i: attention.attend(data.q, data.k[i], data.v[i], plan, scale, out), layers), error


def table(limits: dict[str, float], flashinfer: bool) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    head = ("flat us", "tree us", "FI flat", "FI casc.", "gain", "floor us", "reached", "error")
    print(f"\n{'decode step':24}" + "".join(f"{name:>9}" for name in head))
    for step in DECODE:
        data = random_data(step, SHAPE)
        floor = max(step.bytes(SHAPE) / limits["copy_tb_s"], step.flops(SHAPE) / limits["matmul_tflop_s"]) / 1e6
        flat, _ = timed(step, data, "off")
        tree, error = timed(step, data, "auto")
        others = attention_flashinfer.decode_us(step, data) if flashinfer else {}
        gain = min(flat, others.get("flat", flat)) / tree
        theirs = "".join(f"{others[way]:9.1f}" if way in others else f"{'-':>9}" for way in ("flat", "cascade"))
        print(
            f"{step.name:24}{flat:9.1f}{tree:9.1f}{theirs}{gain:9.2f}{floor:9.1f}{floor / tree:9.0%}{error:9.1e}",
            flush=True,
        )
        rows.append(
            {
                "step": step.name,
                "flat_us": flat,
                "tree_us": tree,
                "flashinfer_us": others,
                "bytes": step.bytes(SHAPE),
                "flops": step.flops(SHAPE),
                "floor_us": floor,
                "error": error,
            }
        )
        del data
    head = ("us", "FI us", "TFLOP/s", "of rate", "error")
    print(f"\n{'prompt tokens':24}" + "".join(f"{name:>9}" for name in head))
    for step in PREFILL:
        data = random_data(step, SHAPE)
        us, error = timed(step, data, "auto")
        other = attention_flashinfer.prefill_us(step, data) if flashinfer else None
        theirs = f"{'-':>9}" if other is None else f"{other:9.1f}"
        rate = step.flops(SHAPE) / us / 1e6
        print(
            f"{step.name:24}{us:9.1f}{theirs}{rate:9.1f}{rate / limits['matmul_tflop_s']:9.0%}{error:9.1e}", flush=True
        )
        rows.append(
            {
                "step": step.name,
                "us": us,
                "flashinfer_us": other,
                "flops": step.flops(SHAPE),
                "tflop_s": rate,
                "error": error,
            }
        )
        del data
    return rows


def fit(kernels: CudaKernels) -> None:
    """Tree time / flat time of sequences with so many tokens of their own after one shared node."""

    def us(step: Step, data: Data, mode: TreeMode) -> float:
        attention = make_cuda_attention(SHAPE, mode, kernels)
        plan = in_place(attention, step)
        scale = SHAPE.size**-0.5
        return microseconds(lambda i: attention.attend(data.q, data.k[i], data.v[i], plan, scale), len(data.k))

    for own in OWN:
        print(f"{own:>4} own" + "".join(f"{length:>8}" for length in LENGTHS))
        for sequences in SEQUENCES:
            ratios = []
            for length in LENGTHS:
                step = decode("", length, 1, sequences, own)
                data = random_data(step, SHAPE)
                ratios.append(us(step, data, "on") / us(step, data, "off"))
                del data
            print(f"{sequences:>8}" + "".join(f"{ratio:8.2f}" for ratio in ratios), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument(
        "--backend", choices=("triton", "flashinfer"), default="triton", help="whose kernels --fit fits"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA device")
    torch.manual_seed(0)
    if options.fit:
        fit(options.backend)
        return
    result = measure()
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def measure() -> dict[str, object]:
    """Print the tables, and return what they are made of."""
    device = torch.cuda.get_device_name()
    limits = ceilings()
    print(f"{device}, torch {torch.__version__}, triton {triton.__version__}")
    print(f"copy {limits['copy_tb_s']:.2f} TB/s, matrix products {limits['matmul_tflop_s']:.0f} TFLOP/s")
    flashinfer = attention_flashinfer.version()
    print(f"FlashInfer {flashinfer}" if flashinfer else "FlashInfer is not installed: its columns stay empty")
    return {
        "device": device,
        "torch": torch.__version__,
        "triton": triton.__version__,
        "flashinfer": flashinfer,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "shape": SHAPE._asdict(),
        "ceilings": limits,
        "rows": table(limits, flashinfer is not None),
    }


if __name__ == "__main__":
    main()
