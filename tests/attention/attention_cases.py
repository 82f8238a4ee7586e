"""Random steps for attention tests: layouts as a tree gives them, a poisoned pool, and the answer in float64."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from radixa.attention.base import SequenceLayout
from radixa.kv.base import Segment


@dataclass
class Case:
    """A step: what a backend is given, and where each sequence's tokens lie."""

    layouts: list[SequenceLayout]
    q: Tensor
    k: Tensor
    v: Tensor
    scale: float

    def expected(self) -> Tensor:
        """Attention in float64 on each sequence's tokens, gathered; [N, Hq * D]."""
        rows = []
        start = 0
        for layout in self.layouts:
            slots = torch.cat([torch.arange(s.start, s.start + s.length) for s in layout.segments])
            k = self.k[:, slots].double()
            v = self.v[:, slots].double()
            q = self.q[start : start + layout.new].double()
            start += layout.new
            group = q.shape[1] // k.shape[0]
            k, v = k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)
            scores = torch.einsum("nhd,hld->hnl", q, k) * self.scale
            seen = torch.arange(len(slots)) <= torch.arange(len(slots) - layout.new, len(slots))[:, None]
            weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
            rows.append(torch.einsum("hnl,hld->nhd", weights, v).flatten(1))
        return torch.cat(rows)


def make_case(
    layouts: list[SequenceLayout],
    kv_heads: int = 3,
    group: int = 3,
    size: int = 64,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    spread: float = 1.0,
) -> Case:
    """Fill the slots the layouts name, all others with NaN. `spread` scales the queries: larger, sharper attention."""
    generator = torch.Generator().manual_seed(seed)
    capacity = max(s.start + s.length for layout in layouts for s in layout.segments) + 5
    used = torch.zeros(capacity, dtype=torch.bool)
    for layout in layouts:
        for s in layout.segments:
            used[s.start : s.start + s.length] = True
    shape = (kv_heads, capacity, size)
    k = torch.randn(shape, generator=generator).masked_fill(~used[:, None], torch.nan).to(dtype)
    v = torch.randn(shape, generator=generator).masked_fill(~used[:, None], torch.nan).to(dtype)
    rows = sum(layout.new for layout in layouts)
    q = (torch.randn(rows, kv_heads * group, size, generator=generator) * spread).to(dtype)
    return Case(layouts, q, k, v, size**-0.5)


class Pool:
    """Hands out runs of slots with gaps between them, in no order."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.next = rng.randint(0, 3)

    def segments(self, owner: int, tokens: int, pieces: int) -> list[Segment]:
        """`tokens` slots in up to `pieces` runs."""
        cuts = sorted(self.rng.sample(range(1, tokens), min(pieces - 1, tokens - 1)))
        found = []
        for low, high in zip([0, *cuts], [*cuts, tokens], strict=True):
            self.next += self.rng.choice([0, 1, 7])
            found.append(Segment(owner, self.next, high - low))
            self.next += high - low
        return found


def random_layouts(seed: int, sequences: int, levels: int, longest: int, chunk: int) -> list[SequenceLayout]:
    """Sequences in depth-first order over a random tree of up to `levels` nodes; each adds up to `chunk` new tokens.

    Nodes may have one token or several runs; a sequence may have nothing of its own but the new tokens.
    """
    rng = random.Random(seed)
    pool = Pool(rng)
    owners = iter(range(1, 1_000_000))
    layouts: list[SequenceLayout] = []

    def node() -> list[Segment]:
        return pool.segments(next(owners), rng.choice([1, 2, rng.randint(1, longest)]), rng.randint(1, 3))

    def grow(path: list[Segment], count: int, depth: int) -> None:
        if depth == levels or count == 1:
            for _ in range(count):
                new = rng.choice([1, 1, rng.randint(1, chunk)])
                own = rng.choice([0, rng.randint(0, 20)])
                layouts.append(SequenceLayout(new, path + pool.segments(0, own + new, rng.randint(1, 2))))
            return
        while count:
            branch = rng.randint(1, count)
            grow(path + node() if rng.random() < 0.8 else path, branch, depth + 1)
            count -= branch

    grow([], sequences, 0)
    return layouts


def prompts_beside_decoding() -> list[SequenceLayout]:
    """Chunks of prompts over a cached prefix and without one, and a sequence that decodes."""
    prefix = [Segment(1, 0, 40)]
    return [
        SequenceLayout(10, [*prefix, Segment(0, 100, 10)]),
        SequenceLayout(1, [*prefix, Segment(0, 130, 1)]),
        SequenceLayout(2, [*prefix, Segment(0, 140, 7)]),
        SequenceLayout(5, [Segment(0, 160, 5)]),
    ]
