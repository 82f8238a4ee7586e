"""The fused operations a decoder is made of.

Three implementations of one protocol: `torch_ops.TorchOps`, the plain form; `native.NativeOps`, compiled C that fuses
what a CPU would otherwise do in many small passes; and `triton.ops.TritonOps`, for CUDA devices. They are tested equal;
the plain form is what runs on a CPU where no compiled library was built. Shapes: N tokens in the step, H hidden size, D
head size, Hq and Hkv heads, C slots, I MLP width. Tensors are float32 or bfloat16, contiguous; sums are taken in
float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Ops(Protocol):
    """Elementwise and normalising operations of a Llama-family decoder."""

    name: str

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """`x / rms(x) * weight` over the last dimension. x [N, H], weight [H] -> [N, H]."""
        ...

    def add_rms_norm(self, x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
        """`residual += x` in place, then `rms_norm(residual)`. x, residual [N, H] -> [N, H].

        The residual is float32 whatever the others are: rounding what runs through all layers after each of them would
        be most of bfloat16's error.
        """
        ...

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
        """Split the projected rows, rotate q and k, and write k and v to their slots.

        qkv [N, (Hq + 2 Hkv) * D]; cos, sin [N, D / 2] float32 for each row's position (rotation pairs element i with
        i + D / 2); slots [N] int64; k_layer, v_layer [Hkv, C, D], written in place. q_norm, k_norm [D], where given,
        are RMS-norm weights per head, applied before the rotation (Qwen3). Returns q [N, Hq, D].
        """
        ...

    def silu_mul(self, gate_up: Tensor) -> Tensor:
        """`silu(gate) * up`, gate the first half of the last dimension. gate_up [N, 2 I] -> [N, I]."""
        ...

    def gated(self, product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """`silu_mul(product(x))`, in one where that is faster. x [N, H] -> [N, I]."""
        ...


def dtype_name(dtype: torch.dtype) -> str:
    """`"float32"` or `"bfloat16"`, as the configuration writes it."""
    return str(dtype).removeprefix("torch.")
