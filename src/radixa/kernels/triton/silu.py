"""`silu(gate) * up` in one pass."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from radixa.kernels.triton.early import early

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 2048


@triton.jit
def gated(gate, up, out):
    """`silu(gate) * up` of numbers already rounded to `out`'s type, rounded before the product as the plain form is."""
    gate = gate.to(tl.float32)
    active = (gate / (1.0 + tl.exp(-gate))).to(out.dtype.element_ty).to(tl.float32)
    return (active * up.to(tl.float32)).to(out.dtype.element_ty)


@triton.jit
def _silu_mul_kernel(gate_up, out, size, BLOCK: tl.constexpr, EARLY: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    gate = tl.load(gate_up + row * 2 * size + at, mask=inside, other=0.0)
    up = tl.load(gate_up + row * 2 * size + size + at, mask=inside, other=0.0)
    tl.store(out + row * size + at, gated(gate, up, out), mask=inside)


def silu_mul(gate_up: Tensor) -> Tensor:
    """`kernels.base.Ops.silu_mul`."""
    rows, width = gate_up.shape
    size = width // 2
    out = gate_up.new_empty(rows, size)
    _silu_mul_kernel[(rows, triton.cdiv(size, BLOCK))](gate_up, out, size, BLOCK, num_warps=4, **early(out))
    return out
