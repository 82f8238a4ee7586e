"""Attention in compiled C, following runs of slots: one call a layer, nothing of a context copied.

The sources are in `kernels/c/`: `attention.h` says how a step is cut into work, `tile.h` attends many queries to the
same tokens (a shared node, a prompt's chunk) as matrix products, `flat.h` the few queries of a decoding sequence.
Contexts are cut into chunks of a fixed length and partial results merged in a fixed order by their log-sum-exp
(Flash-Decoding, Dao et al. 2023), so that one long sequence keeps all threads busy and results do not depend on how
many there are.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import torch

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.torch_backend import Piece, TorchAttention
from radixa.attention.tree_plan import plan_tree, sharing_rule
from radixa.kernels.library import choose
from radixa.kv.base import Segment

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 512
"""Tokens of a chunk, as in `attention.h`."""

FLAT, TILE, PARTIAL = 9.0, 6.6, 430.0
"""Cycles that a token costs one query of `flat.h`, or one of the 16 places for queries of `tile.h`, and that one more
partial result costs a query: fitted to `benchmarks/attention.py --fit native` with AVX-512 and bfloat16, the first
reading of K and V from memory included. In float32 and with AVX2 all three are larger by about the same factor."""


def sharing_pays(length: int, queries: int) -> bool:
    """Do so many queries of a kv head attend to a node of `length` tokens faster together than sequence by sequence?

    A tile computes 16 queries at a time, whether it has as many or not.
    """
    places = (queries + 15) // 16 * 16
    return length * (FLAT * queries - TILE * places) > PARTIAL * queries


class NativePlan:
    """A step's plan as the C reads it: counts, then the structures of `attention.h` in order, all int64."""

    def __init__(
        self, numbers: array[int], partial_rows: int, layouts: Sequence[SequenceLayout], mode: TreeMode
    ) -> None:
        self.numbers = numbers
        self.address = numbers.buffer_info()[0]
        self.partial_rows = partial_rows
        self._layouts = layouts
        self._mode = mode

    @cached_property
    def for_torch(self) -> list[Piece]:
        """The same step planned for torch: which shapes the C takes is known only when `attend` sees them."""
        return TorchAttention(self._mode).plan(self._layouts)


class NativeAttention:
    """`AttentionBackend` in C for float32 and bfloat16, head sizes 64 and 128, up to 8 query heads a kv head.

    Other shapes go to torch. Not for two threads at once: partial results have one buffer.
    """

    def __init__(self, library: ctypes.CDLL, mode: TreeMode = "auto") -> None:
        self.name = f"native {choose(library)}"
        self._c = library
        self._mode = mode
        self._rule = sharing_rule(mode, sharing_pays)
        self._group = 1
        self._torch = TorchAttention(mode)
        self._scratch = torch.empty(0)

    def plan(self, layouts: Sequence[SequenceLayout]) -> NativePlan:
        tree = plan_tree(layouts, lambda length, sequences: self._rule(length, sequences * self._group))
        starts = list(accumulate((layout.new for layout in layouts), initial=0))
        pieces = _Pieces()
        above: list[list[int]] = [[] for _ in layouts]
        for node in tree.shared:
            row = starts[node.first]
            index = pieces.add(row, starts[node.last] - row, node.segments, causal=False, alone=False)
            for i in range(node.first, node.last):
                above[i].append(index)
        merges: list[int] = []
        items: list[int] = []
        for i, layout in enumerate(layouts):
            new = layout.new
            first_partial = pieces.partial_rows
            index = pieces.add(starts[i], new, tree.own[i], causal=new > 1, alone=not above[i])
            if pieces.partial_rows > first_partial:
                merges += (starts[i], new, len(items), len(above[i]) + 1)
                items += (*above[i], index)
        counts = [len(pieces.pieces) // 6, len(pieces.runs) // 2, len(merges) // 4, len(items), pieces.partial_rows]
        numbers = array("q", counts + pieces.pieces + pieces.runs + merges + items)
        return NativePlan(numbers, pieces.partial_rows, layouts, self._mode)

    def attend(self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: NativePlan, scale: float) -> Tensor:
        rows, heads, size = q.shape
        kv_heads, capacity, _ = k_layer.shape
        # A plan is made before the heads are seen; the model's do not change, so the next plan knows them.
        self._group = heads // kv_heads
        bf16 = q.dtype == torch.bfloat16
        if size not in (64, 128) or heads > 8 * kv_heads or not (bf16 or q.dtype == torch.float32):
            return self._torch.attend(q, k_layer, v_layer, plan.for_torch, scale)
        scratch = plan.partial_rows * heads * (size + 2)
        if scratch > self._scratch.numel():
            self._scratch = torch.empty(scratch)
        out = q.new_empty(rows, heads * size)
        shape = (ctypes.c_int64 * 5)(bf16, heads, kv_heads, size, capacity)
        self._c.radixa_attend(
            q.data_ptr(),
            k_layer.data_ptr(),
            v_layer.data_ptr(),
            out.data_ptr(),
            ctypes.addressof(shape),
            plan.address,
            self._scratch.data_ptr(),
            scale,
            torch.get_num_threads(),
        )
        return out


class _Pieces:
    """Pieces and runs as they are written, and how many rows of partial results they need."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.runs: list[int] = []
        self.partial_rows = 0

    def add(self, row: int, rows: int, segments: list[Segment], *, causal: bool, alone: bool) -> int:
        """Append a piece and return its index. Its result is final where it is `alone` and a single chunk."""
        runs = self.runs
        first = len(runs)
        total = 0
        end = -1
        for _, start, length in segments:
            if start == end:
                runs[-1] += length
            elif length:
                runs += (start, length)
            end = start + length
            total += length
        chunks = (total + CHUNK - 1) // CHUNK
        partial = -1
        if chunks > 1 or not alone:
            partial = self.partial_rows
            self.partial_rows += chunks * rows
        self.pieces += (row, rows, first // 2, total, causal, partial)
        return len(self.pieces) // 6 - 1
