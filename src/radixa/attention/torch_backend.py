"""Attention in plain torch, over runs of slots as views.

The readable form: what the compiled backend is tested against, and what runs where that one was not built. A
sequence's context is cut into pieces: long runs are views of the pool as they lie, the short ones are gathered into
one. Each piece is attended to by torch's flash kernel, which also gives the log-sum-exp of its scores; partial results
are merged by those (online softmax: Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022). Query heads that
share a kv head are folded into the query axis, so that K and V are never repeated.

Where a row sees a single piece, the result is bit for bit that of `scaled_dot_product_attention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.tree_plan import plan_tree, sharing_rule
from radixa.kv.base import Segment, SlotRun

if TYPE_CHECKING:
    from torch import Tensor

VIEW_FROM = 64
"""Tokens from which a run is attended to as a view; a shorter one costs less as part of a gathered piece."""


def sharing_pays(length: int, sequences: int) -> bool:
    """Where a shared node is faster than one call for each sequence (`benchmarks/attention.py --fit torch`).

    Merging costs about what a call costs; a node shorter than a view only splits what would be gathered at once.
    """
    return length >= 512 or (sequences > 2 and length >= VIEW_FROM)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows first..last of the step attend to `slots`: a run, or a tensor [L] int64 of gathered slots.

    `causal`: rows and slots are the same tokens, and each row sees those up to itself. `whole`: these rows have no
    other piece, so that there is nothing to merge.
    """

    first: int
    last: int
    slots: slice | Tensor
    causal: bool = False
    whole: bool = False


class TorchAttention:
    """`AttentionBackend` in torch: float32 and bfloat16, any head size. A plan is a list of pieces in merging order."""

    def __init__(self, mode: TreeMode = "auto") -> None:
        self.name = "torch"
        self._pays = sharing_rule(mode, sharing_pays)

    def plan(self, layouts: Sequence[SequenceLayout]) -> list[Piece]:
        tree = plan_tree(layouts, self._pays)
        starts = [0]
        for layout in layouts:
            starts.append(starts[-1] + layout.new)
        pieces: list[Piece] = []
        merged = [False] * len(layouts)
        for node in tree.shared:
            pieces += [Piece(starts[node.first], starts[node.last], slots) for slots in _views(node.segments)]
            merged[node.first : node.last] = [True] * (node.last - node.first)
        for i, segments in enumerate(tree.own):
            new = layouts[i].new
            cached, fresh = (segments, []) if new == 1 else _cut(segments, new)
            views = [(slots, False) for slots in _views(cached)]
            if fresh:
                views.append((_joined(_runs(fresh)), True))
            whole = len(views) == 1 and not merged[i]
            pieces += [Piece(starts[i], starts[i + 1], slots, causal, whole) for slots, causal in views]
        return pieces

    def attend(self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: list[Piece], scale: float) -> Tensor:
        rows, heads, size = q.shape
        out = torch.empty_like(q)
        if not all(piece.whole for piece in plan):
            merged = torch.zeros(rows, heads, size)
            mass = torch.full((rows, heads), -torch.inf)
        for piece in plan:
            at = slice(piece.first, piece.last)
            part, lse = _attend_piece(q[at], k_layer[:, piece.slots], v_layer[:, piece.slots], piece.causal, scale)
            if piece.whole:
                out[at] = part
            else:
                _merge(merged[at], mass[at], part, lse)
        for piece in plan:
            if not piece.whole:
                out[piece.first : piece.last] = merged[piece.first : piece.last]
        return out.view(rows, heads * size)


def _attend_piece(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float) -> tuple[Tensor, Tensor]:
    """q [n, Hq, D] over k, v [Hkv, L, D] -> output [n, Hq, D] in q's dtype and log-sum-exp [n, Hq] float32."""
    n, heads, size = q.shape
    kv_heads, length, _ = k.shape
    group = heads // kv_heads
    folded = q.view(n, kv_heads, group, size).permute(1, 2, 0, 3)
    if causal:
        # One head per batch entry and group member; K and V are repeated by a stride of 0.
        k = k[:, None].expand(kv_heads, group, length, size)
        v = v[:, None].expand(kv_heads, group, length, size)
    else:
        folded = folded.reshape(kv_heads, 1, group * n, size)
        k, v = k[:, None], v[:, None]
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    part, lse = flash(folded, k, v, 0.0, causal, scale=scale)
    part = part.reshape(kv_heads, group, n, size).permute(2, 0, 1, 3).reshape(n, heads, size)
    return part, lse.reshape(heads, n).transpose(0, 1)


def _merge(merged: Tensor, mass: Tensor, part: Tensor, lse: Tensor) -> None:
    """Add a partial result to the rows `merged` [n, Hq, D], whose scores so far have log-sum-exp `mass` [n, Hq]."""
    total = torch.logaddexp(mass, lse)
    merged.mul_((mass - total).exp_()[..., None]).add_(part * (lse - total).exp_()[..., None])
    mass.copy_(total)


def _runs(segments: list[Segment]) -> list[SlotRun]:
    """Segments as runs of slots, neighbours in the pool joined."""
    runs: list[SlotRun] = []
    for _, start, length in segments:
        if runs and sum(runs[-1]) == start:
            runs[-1] = SlotRun(runs[-1].start, runs[-1].length + length)
        elif length:
            runs.append(SlotRun(start, length))
    return runs


def _views(segments: list[Segment]) -> list[slice | Tensor]:
    """The slots of a context of which every row sees everything: long runs as they lie, short ones gathered."""
    runs = _runs(segments)
    short = [run for run in runs if run.length < VIEW_FROM]
    views: list[slice | Tensor] = [slice(*_bounds(run)) for run in runs if run.length >= VIEW_FROM]
    return [*views, _joined(short)] if short else views


def _joined(runs: list[SlotRun]) -> slice | Tensor:
    """Runs as one operand, in order: a view where there is one, else the slots to gather."""
    if len(runs) == 1:
        return slice(*_bounds(runs[0]))
    return torch.cat([torch.arange(*_bounds(run)) for run in runs])


def _bounds(run: SlotRun) -> tuple[int, int]:
    return run.start, run.start + run.length


def _cut(segments: list[Segment], new: int) -> tuple[list[Segment], list[Segment]]:
    """Split a context's segments into those of its cached tokens and those of its last `new` ones."""
    cached = sum(segment.length for segment in segments) - new
    before: list[Segment] = []
    after: list[Segment] = []
    for owner, start, length in segments:
        old = max(0, min(length, cached))
        if old:
            before.append(Segment(owner, start, old))
        if old < length:
            after.append(Segment(owner, start + old, length - old))
        cached -= old
    return before, after
