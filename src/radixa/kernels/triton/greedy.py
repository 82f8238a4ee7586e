"""The likeliest token of each row, the lowest of those that are equal.

A row's vocabulary is cut into parts, so that a single row keeps the whole device busy; a second launch compares them.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from radixa.kernels.triton.early import early

if TYPE_CHECKING:
    from torch import Tensor

PARTS = 32
_BLOCK = 1024
_NOWHERE = tl.constexpr(0x7FFFFFFF)


@triton.jit
def _part_kernel(
    logits, best, where, size, EACH: tl.constexpr, PARTS: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr
):
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    row = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    start = part * EACH
    stop = tl.minimum(start + EACH, size)
    lane = tl.arange(0, BLOCK)
    top = tl.full((BLOCK,), float("-inf"), tl.float32)
    found = tl.full((BLOCK,), _NOWHERE, tl.int32)
    for first in range(0, EACH, BLOCK):
        at = start + first + lane
        value = tl.load(logits + row * size + at, mask=at < stop, other=float("-inf"))
        # A lane's earlier tokens stay where they are equal; its first one is taken whatever it is.
        better = (value > top) | ((found == _NOWHERE) & (at < stop))
        top = tl.where(better, value, top)
        found = tl.where(better, at, found)
    highest = tl.max(top, axis=0)
    lowest = tl.min(tl.where(top == highest, found, _NOWHERE), axis=0)
    tl.store(best + row * PARTS + part, highest)
    tl.store(where + row * PARTS + part, lowest)


@triton.jit
def _join_kernel(best, where, out, PARTS: tl.constexpr, EARLY: tl.constexpr):
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    row = tl.program_id(0).to(tl.int64)
    at = row * PARTS + tl.arange(0, PARTS)
    values = tl.load(best + at)
    highest = tl.max(values, axis=0)
    tl.store(out + row, tl.min(tl.where(values == highest, tl.load(where + at), _NOWHERE), axis=0))


def greedy(logits: Tensor, out: Tensor) -> Tensor:
    """Write the index of each row's highest of logits [N, V] float32 to out [N] int32, which is returned."""
    rows, size = logits.shape
    best = torch.empty(rows, PARTS, dtype=torch.float32, device=logits.device)
    where = torch.empty(rows, PARTS, dtype=torch.int32, device=logits.device)
    options = early(logits)
    each = triton.cdiv(size, PARTS)
    _part_kernel[(rows, PARTS)](logits, best, where, size, each, PARTS, _BLOCK, num_warps=4, **options)
    _join_kernel[(rows,)](best, where, out, PARTS, num_warps=1, **options)
    return out
