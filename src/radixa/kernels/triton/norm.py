"""RMS norm, alone and with the residual's addition before it: one program a row."""

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


@triton.jit
def _rms_norm_kernel(x, residual, weight, out, size, eps, ADD: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < size
    weights = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    values = tl.load(x + row * size + at, mask=inside, other=0.0).to(tl.float32)
    if ADD:
        values += tl.load(residual + row * size + at, mask=inside, other=0.0)
        tl.store(residual + row * size + at, values, mask=inside)
    scale = 1.0 / tl.sqrt(tl.sum(values * values, axis=0) / size + eps)
    # Rounded before the product with the weight, as the plain form rounds it.
    scaled = (values * scale).to(out.dtype.element_ty).to(tl.float32)
    tl.store(out + row * size + at, (scaled * weights).to(out.dtype.element_ty), mask=inside)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`kernels.base.Ops.rms_norm`."""
    return _launch(x, None, weight, eps)


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`kernels.base.Ops.add_rms_norm`. ValueError where the residual is not float32."""
    if residual.dtype != torch.float32:
        raise ValueError(f"expected a residual of float32, got {residual.dtype}")
    return _launch(x, residual, weight, eps)


def _launch(x: Tensor, residual: Tensor | None, weight: Tensor, eps: float) -> Tensor:
    rows, size = x.shape
    out = torch.empty(rows, size, dtype=weight.dtype, device=x.device)
    block = triton.next_power_of_2(size)
    warps = max(1, min(16, block // 512))
    added = x if residual is None else residual
    _rms_norm_kernel[(rows,)](
        x, added, weight, out, size, eps, residual is not None, block, num_warps=warps, **early(x)
    )
    return out
