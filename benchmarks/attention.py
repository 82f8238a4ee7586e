"""Attention and the fused operations, alone: microseconds of one layer's call, median of many.

    python benchmarks/attention.py            the table
    python benchmarks/attention.py --fit      where sharing a node pays: tree time / flat time by length and sequences

The shape is SmolLM2-135M's (9 query heads, 3 kv heads of size 64) unless `--heads`, `--kv-heads` and `--size` say
otherwise. Variants are timed in turn, so that a disturbance meets them alike; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radixa.attention.base import SequenceLayout
from radixa.attention.select import make_attention
from radixa.core.machine import cpu_name
from radixa.kernels.base import Ops
from radixa.kernels.select import make_ops
from radixa.kv.base import Segment

SECONDS_A_ROW = 0.6


@dataclass(frozen=True)
class Model:
    heads: int
    kv_heads: int
    size: int
    dtype: torch.dtype


def shared(sequences: int, length: int, own: int) -> list[SequenceLayout]:
    """Sequences that decode after one node of `length` tokens, each with `own` tokens besides."""
    node = Segment(1, 0, length)
    return [SequenceLayout(1, [node, Segment(0, length + i * (own + 9), own)]) for i in range(sequences)]


def two_levels(sequences: int, length: int, branch: int, own: int) -> list[SequenceLayout]:
    """One node for all, then one for every four sequences."""
    layouts = []
    for i in range(sequences):
        below = Segment(2 + i // 4, length + i // 4 * branch, branch)
        start = length + sequences // 4 * branch + i * (own + 9)
        layouts.append(SequenceLayout(1, [Segment(1, 0, length), below, Segment(0, start, own)]))
    return layouts


def apart(sequences: int, length: int, new: int = 1) -> list[SequenceLayout]:
    """Sequences with nothing in common."""
    return [SequenceLayout(new, [Segment(0, i * (length + 9), length)]) for i in range(sequences)]


def caller(model: Model, layouts: list[SequenceLayout], mode: str, native: bool) -> Callable[[], Tensor]:
    """A call of `attend` on random tensors: several layers' K and V in turn, from memory as in use."""
    generator = torch.Generator().manual_seed(0)
    rows = sum(layout.new for layout in layouts)
    slots = max(s.start + s.length for layout in layouts for s in layout.segments)
    q = torch.randn(rows, model.heads, model.size, generator=generator).to(model.dtype)
    layers = max(1, min(8, (64 << 20) // (2 * model.kv_heads * slots * model.size * model.dtype.itemsize)))
    kv = torch.randn(2, layers, model.kv_heads, slots, model.size, generator=generator).to(model.dtype)
    backend = make_attention(mode, prefer_native=native)
    plan = backend.plan(layouts)
    turn = iter(range(1 << 62))

    def call() -> Tensor:
        layer = next(turn) % layers
        return backend.attend(q, kv[0, layer], kv[1, layer], plan, model.size**-0.5)

    return call


def medians(calls: list[Callable[[], Tensor]], seconds: float = SECONDS_A_ROW) -> list[float]:
    """Median microseconds of each, taken in turn. On one thread its CPU time, which a busy machine disturbs little."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    end = time.perf_counter() + seconds * len(calls)
    while time.perf_counter() < end or len(times[0]) < 3:
        for call, taken in zip(calls, times, strict=True):
            start = clock()
            call()
            taken.append((clock() - start) * 1e6)
    return [statistics.median(taken) for taken in times]


def ceilings(dtype: torch.dtype) -> str:
    a = torch.randn(1024, 1024).to(dtype)
    product = medians([lambda: a @ a], 1.0)[0]
    source = torch.empty(64 << 20, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = medians([lambda: target.copy_(source)], 1.0)[0]
    return f"matrix product {2 * 1024**3 / product / 1e3:.0f} GFLOP/s, copy {2 * len(source) / copy / 1e3:.0f} GB/s"


def attention_rows(model: Model) -> Iterator[tuple[str, list[SequenceLayout], bool]]:
    """Name, layouts, and whether sequences share anything."""
    for sequences in (1, 8, 32):
        for length in (128, 1024, 4096):
            yield f"decode {sequences} x {length}", apart(sequences, length), False
    yield "decode 8 x 1,024 shared + 32", shared(8, 1024, 32), True
    yield "decode 32 x 1,024 shared + 32", shared(32, 1024, 32), True
    yield "decode 32 x 4,096 shared + 32", shared(32, 4096, 32), True
    yield "decode 32 x (2,048 shared + 512 by four + 32)", two_levels(32, 2048, 512, 32), True
    for length in (128, 512, 2048):
        yield f"prefill {length}", apart(1, length, length), False
    yield "prefill 128 after 4,096 cached", apart(1, 4224, 128), False
    yield (
        "prefill 8 x 64 after 2,048 shared",
        [SequenceLayout(64, [Segment(1, 0, 2048), Segment(0, 2048 + 70 * i, 64)]) for i in range(8)],
        True,
    )


def print_attention(model: Model) -> None:
    names = ["native tree", "native flat", "torch tree", "torch flat"]
    print(f"{'attention, us':46}" + "".join(f"{name:>13}" for name in names) + f"{'flat / tree':>13}")
    for name, layouts, shares in attention_rows(model):
        calls = [caller(model, layouts, "off", True), caller(model, layouts, "off", False)]
        if shares:
            calls = [caller(model, layouts, "auto", True), calls[0], caller(model, layouts, "auto", False), calls[1]]
            tree, flat, torch_tree, torch_flat = medians(calls)
            print(f"{name:46}{tree:13.0f}{flat:13.0f}{torch_tree:13.0f}{torch_flat:13.0f}{flat / tree:13.2f}")
        else:
            flat, torch_flat = medians(calls)
            print(f"{name:46}{'':13}{flat:13.0f}{'':13}{torch_flat:13.0f}")


def print_ops(model: Model, hidden: int, width: int) -> None:
    print(f"\n{'operations, us':46}{'native':>13}{'torch':>13}")
    both = [make_ops(prefer_native=True), make_ops(prefer_native=False)]
    for rows in (1, 32, 512):
        calls = [operation_calls(ops, model, rows, hidden, width) for ops in both]
        for name in calls[0]:
            native, plain = medians([of[name] for of in calls], 0.2)
            print(f"{f'{name}, {rows} rows':46}{native:13.1f}{plain:13.1f}")


def operation_calls(ops: Ops, model: Model, rows: int, hidden: int, width: int) -> dict[str, Callable[[], Tensor]]:
    x, residual = torch.randn(rows, hidden).to(model.dtype), torch.zeros(rows, hidden)
    weight = torch.ones(hidden).to(model.dtype)
    qkv = torch.randn(rows, (model.heads + 2 * model.kv_heads) * model.size).to(model.dtype)
    k, v = torch.zeros(2, model.kv_heads, 1024, model.size).to(model.dtype)
    angles, slots = torch.rand(rows, model.size // 2), torch.arange(rows)
    gate_up = torch.randn(rows, 2 * width).to(model.dtype)
    return {
        "add_rms_norm": lambda: ops.add_rms_norm(x, residual, weight, 1e-5),
        "rope_store": lambda: ops.rope_store(qkv, angles, angles, slots, k, v),
        "silu_mul": lambda: ops.silu_mul(gate_up),
    }


def print_fit(model: Model, native: bool) -> None:
    """Tree time / flat time: below 1 sharing pays. A backend's `sharing_pays` should be true only there."""
    lengths = (16, 32, 64, 128, 256, 512, 1024)
    print(f"{'sequences':>10}" + "".join(f"{length:>8}" for length in lengths))
    for sequences in (2, 3, 4, 8, 16, 32):
        ratios = []
        for length in lengths:
            layouts = shared(sequences, length, 40)
            tree, flat = medians([caller(model, layouts, mode, native) for mode in ("on", "off")], 0.3)
            ratios.append(tree / flat)
        print(f"{sequences:>10}" + "".join(f"{ratio:8.2f}" for ratio in ratios), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--heads", type=int, default=9)
    parser.add_argument("--kv-heads", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--fit", choices=["native", "torch"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = Model(options.heads, options.kv_heads, options.size, getattr(torch, options.dtype))
    print(f"{cpu_name()}, {options.threads} threads, torch {torch.__version__}, {options.dtype}")
    print(f"{make_attention().name}; {ceilings(model.dtype)}\n")
    if options.fit:
        print_fit(model, options.fit == "native")
    else:
        print_attention(model)
        print_ops(model, 576, 1536)


if __name__ == "__main__":
    main()
