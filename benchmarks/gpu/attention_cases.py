"""Steps for the GPU's attention benchmarks: layouts, their bytes and operations, and a timer that replays a graph."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radixa.attention.base import SequenceLayout
from radixa.attention.graphs import HeadShape
from radixa.kv.base import Segment

SHAPE = HeadShape(kv_heads=8, group=4, size=128)
"""Of Llama-3-8B."""


@dataclass(frozen=True)
class Step:
    name: str
    layouts: list[SequenceLayout]

    @property
    def slots(self) -> int:
        return max(s.start + s.length for layout in self.layouts for s in layout.segments)

    @property
    def rows(self) -> int:
        return sum(layout.new for layout in self.layouts)

    @property
    def shares(self) -> bool:
        """Whether two sequences begin with the same node."""
        first = [layout.segments[0] for layout in self.layouts]
        return len(set(first)) < len(first)

    def bytes(self, shape: HeadShape) -> int:
        """K and V of every slot once, and the queries and outputs, in bf16."""
        seen = {segment for layout in self.layouts for segment in layout.segments}
        kv = sum(segment.length for segment in seen) * 2 * shape.kv_heads * shape.size * 2
        return kv + self.rows * shape.kv_heads * shape.group * shape.size * 2 * 2

    def flops(self, shape: HeadShape) -> int:
        """Of both matrix products, over what each row sees."""
        seen = sum(layout.new * layout.context - layout.new * (layout.new - 1) // 2 for layout in self.layouts)
        return 4 * seen * shape.kv_heads * shape.group * shape.size


def decode(name: str, prefix: int, groups: int, sequences: int, own: int) -> Step:
    """`groups` prefixes, each with so many sequences that have `own` tokens besides."""
    layouts = []
    at = 0
    for group in range(groups):
        shared = [Segment(group + 1, at, prefix)] if prefix else []
        at += prefix
        for _ in range(sequences):
            layouts.append(SequenceLayout(1, [*shared, Segment(0, at, own)]))
            at += own
    return Step(name, layouts)


def prefill(name: str, new: int, cached: int = 0) -> Step:
    before = [Segment(1, 0, cached)] if cached else []
    return Step(name, [SequenceLayout(new, [*before, Segment(0, cached + 64, new)])])


DECODE = (
    decode("8,192 shared x 32", 8192, 1, 32, 256),
    decode("8,192 shared x 128", 8192, 1, 128, 256),
    decode("8,192 shared x 256", 8192, 1, 256, 256),
    decode("32,768 shared x 32", 32768, 1, 32, 256),
    decode("32,768 shared x 128", 32768, 1, 128, 256),
    decode("10 of 4,096 x 12", 4096, 10, 12, 256),
    decode("1,024 own x 1", 0, 1, 1, 1024),
    decode("32,768 own x 1", 0, 1, 1, 32768),
    decode("1,024 own x 32", 0, 1, 32, 1024),
    decode("1,024 own x 128", 0, 1, 128, 1024),
)
PREFILL = (
    prefill("4,096", 4096),
    prefill("16,384", 16384),
    prefill("1,024 over 8,192", 1024, 8192),
    prefill("32 over 8,192", 32, 8192),
)


@dataclass(frozen=True)
class Data:
    """Queries, and K and V of several layers: more than the L2 cache holds, as in a model."""

    q: Tensor
    k: list[Tensor]
    v: list[Tensor]


def random_data(step: Step, shape: HeadShape, dtype: torch.dtype = torch.bfloat16) -> Data:
    per_layer = step.slots * shape.kv_heads * shape.size * 2 * 2
    layers = max(2, min(8, int(6e9 / per_layer)))
    pool = [torch.randn(shape.kv_heads, step.slots, shape.size, dtype=dtype, device="cuda") for _ in range(2 * layers)]
    q = torch.randn(step.rows, shape.kv_heads * shape.group, shape.size, dtype=dtype, device="cuda")
    return Data(q, pool[:layers], pool[layers:])


def microseconds(run: Callable[[int], object], layers: int, repeats: int = 10) -> float:
    """Median time of `run(layer)`, from replays of a graph of all layers."""
    run(0)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for layer in range(layers):
            run(layer)
    return events(graph.replay, repeats) / layers


def reference(step: Step, data: Data, scale: float, rows: Sequence[int] | None = None) -> Tensor:
    """Attention in float64 of the first layer; of decode steps, or of chosen rows."""
    outputs = []
    at = 0
    wanted = None if rows is None else set(rows)
    for layout in step.layouts:
        slots = torch.cat([torch.arange(s.start, s.start + s.length, device="cuda") for s in layout.segments])
        k = data.k[0][:, slots].double()
        v = data.v[0][:, slots].double()
        group = data.q.shape[1] // k.shape[0]
        for j in range(layout.new):
            if wanted is None or at + j in wanted:
                seen = len(slots) - layout.new + 1 + j
                q = data.q[at + j].double().view(k.shape[0], group, -1)
                weights = (torch.einsum("hgd,hld->hgl", q, k[:, :seen]) * scale).softmax(-1)
                outputs.append(torch.einsum("hgl,hld->hgd", weights, v[:, :seen]).reshape(-1))
        at += layout.new
    return torch.stack(outputs)


def check(step: Step, data: Data, out: Tensor) -> float:
    """The relative error of some rows of the first layer's output. Ends the program where it is too large."""
    rows = sorted({0, step.rows // 3, step.rows // 2, step.rows - 1})
    expected = reference(step, data, data.q.shape[2] ** -0.5, rows)
    error = float((out[rows].double() - expected).norm() / expected.norm())
    if not error < 1e-2 or not out.isfinite().all():
        raise SystemExit(f"{step.name}: relative error {error}")
    return error


def ceilings() -> dict[str, float]:
    """Copy bandwidth in TB/s, bytes read plus bytes written, and the rate of bf16 matrix products in TFLOP/s."""
    a = torch.randn(1 << 30, dtype=torch.bfloat16, device="cuda")
    b = torch.empty_like(a)
    x, y, z = (torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda") for _ in range(3))
    copy = events(lambda: b.copy_(a))
    product = events(lambda: torch.mm(x, y, out=z))
    return {"copy_tb_s": 2 * a.nbytes / copy / 1e6, "matmul_tflop_s": 2 * 8192**3 / product / 1e6}


def events(run: Callable[[], object], repeats: int = 10) -> float:
    """Median microseconds between two events around `run`."""
    times = []
    for i in range(repeats + 2):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        if i >= 2:
            times.append(begin.elapsed_time(end) * 1e3)
    return statistics.median(times)
