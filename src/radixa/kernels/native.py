"""The decoder's operations in compiled C: each one pass over memory where torch takes several.

The sources are in `c/`: `ops.h` has these operations, `vector.h` what they are written with.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from radixa.kernels.library import choose
from radixa.kernels.torch_ops import TorchOps

if TYPE_CHECKING:
    from torch import Tensor

_WIDEST = 16
"""Floats in the widest vector; the C loops take no remainder."""


class NativeOps:
    """`kernels.base.Ops` in C. What the C does not take (other dtypes, odd sizes) goes to torch."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.name = f"native {choose(library)}"
        self._c = library
        self._torch = TorchOps()

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        if not _takes(x, weight, x.shape[1]):
            return self._torch.rms_norm(x, weight, eps)
        return self._norm(x, None, weight, eps)

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
        if not _takes(x, weight, x.shape[1]) or not _takes(residual, residual, x.shape[1]):
            return self._torch.add_rms_norm(x, residual, weight, eps)
        if residual.dtype != torch.float32:
            raise ValueError(f"expected a residual of float32, got {residual.dtype}")
        return self._norm(x, residual, weight, eps)

    def _norm(self, x: Tensor, residual: Tensor | None, weight: Tensor, eps: float) -> Tensor:
        rows, size = x.shape
        out = torch.empty_like(x)
        self._c.radixa_rms_norm(
            x.dtype == torch.bfloat16,
            x.data_ptr(),
            None if residual is None else residual.data_ptr(),
            weight.data_ptr(),
            out.data_ptr(),
            rows,
            size,
            eps,
            torch.get_num_threads(),
        )
        return out

    def rope_store(
        self,
        qkv: Tensor,
        cos: Tensor,
        sin: Tensor,
        slots: Tensor,
        k_layer: Tensor,
        v_layer: Tensor,
        q_norm: Tensor | None = None,
        k_norm: Tensor | None = None,
        eps: float = 1e-6,
    ) -> Tensor:
        rows, width = qkv.shape
        kv_heads, capacity, size = k_layer.shape
        if not _takes(qkv, qkv if q_norm is None else q_norm, size // 2):
            return self._torch.rope_store(qkv, cos, sin, slots, k_layer, v_layer, q_norm, k_norm, eps)
        heads = width // size - 2 * kv_heads
        q = qkv.new_empty(rows, heads, size)
        shape = (ctypes.c_int64 * 6)(qkv.dtype == torch.bfloat16, rows, heads, kv_heads, size, capacity)
        self._c.radixa_rope_store(
            ctypes.addressof(shape),
            qkv.data_ptr(),
            cos.data_ptr(),
            sin.data_ptr(),
            slots.data_ptr(),
            k_layer.data_ptr(),
            v_layer.data_ptr(),
            q.data_ptr(),
            None if q_norm is None else q_norm.data_ptr(),
            None if k_norm is None else k_norm.data_ptr(),
            eps,
            torch.get_num_threads(),
        )
        return q

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        rows, width = gate_up.shape
        if not _takes(gate_up, gate_up, width // 2):
            return self._torch.silu_mul(gate_up)
        out = gate_up.new_empty(rows, width // 2)
        self._c.radixa_silu_mul(
            gate_up.dtype == torch.bfloat16,
            gate_up.data_ptr(),
            out.data_ptr(),
            rows,
            width // 2,
            torch.get_num_threads(),
        )
        return out

    def gated(self, product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return self.silu_mul(product(x))


def _takes(x: Tensor, weight: Tensor, size: int) -> bool:
    """Does the C take x, of this dtype and this many elements in a row?"""
    return (
        x.dtype in (torch.float32, torch.bfloat16)
        and weight.dtype == x.dtype
        and size % _WIDEST == 0
        and x.is_contiguous()
        and x.device.type == "cpu"
    )
