"""`kernels.base.Ops` in Triton."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from radixa.kernels.triton.norm import add_rms_norm, rms_norm
from radixa.kernels.triton.product import FewRowsProduct
from radixa.kernels.triton.rope import rope_store
from radixa.kernels.triton.silu import silu_mul

if TYPE_CHECKING:
    from torch import Tensor


class TritonOps:
    """Fused operations on a CUDA device: any size, float32 or bfloat16, contiguous rows."""

    name = "triton"

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        return rms_norm(x, weight, eps)

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
        return add_rms_norm(x, residual, weight, eps)

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
        return rope_store(qkv, cos, sin, slots, k_layer, v_layer, q_norm, k_norm, eps)

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        return silu_mul(gate_up)

    def gated(self, product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if isinstance(product, FewRowsProduct) and product.gates(x.shape[0]):
            return product.gated(x)
        return silu_mul(product(x))
