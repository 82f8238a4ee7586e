"""The decoder's operations in plain torch: the readable form, and what runs where nothing was compiled.

In float32 each computes what `transformers` computes, operation by operation, so that logits agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class TorchOps:
    """`kernels.base.Ops` in torch."""

    name = "torch"

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return weight * scaled.to(weight.dtype)

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
        residual += x
        return self.rms_norm(residual, weight, eps)

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
        kv_heads, _, size = k_layer.shape
        rows = qkv.view(qkv.shape[0], -1, size)
        heads = rows.shape[1] - 2 * kv_heads
        q, k, v = rows[:, :heads], rows[:, heads:-kv_heads], rows[:, -kv_heads:]
        if q_norm is not None:
            q = self.rms_norm(q, q_norm, eps)
        if k_norm is not None:
            k = self.rms_norm(k, k_norm, eps)
        k_layer.index_copy_(1, slots, _rotate(k, cos, sin).transpose(0, 1))
        v_layer.index_copy_(1, slots, v.transpose(0, 1))
        return _rotate(q, cos, sin)

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, dim=-1)
        # Contiguous, because torch's vector and scalar code round exp differently, and row ends would be scalar.
        return functional.silu(gate.contiguous()) * up

    def gated(self, product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return self.silu_mul(product(x))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (i, i + D / 2) of each head. x [N, heads, D]; cos, sin [N, D / 2] -> contiguous."""
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
