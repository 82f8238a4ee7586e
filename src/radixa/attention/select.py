"""The attention backend of a process: compiled where it was built, else torch; on CUDA Triton's or FlashInfer's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from radixa.attention.base import AttentionBackend, TreeMode
from radixa.core.errors import ConfigError

if TYPE_CHECKING:
    from radixa.attention.graphs import HeadShape

CudaKernels = Literal["triton", "flashinfer"]
"""Whose attention kernels a CUDA device runs."""


def make_attention(mode: TreeMode = "auto", prefer_native: bool = True) -> AttentionBackend:
    """A backend whose `name` says which it is."""
    from radixa.attention.torch_backend import TorchAttention
    from radixa.kernels.library import load_library

    library = load_library() if prefer_native else None
    if library is None:
        return TorchAttention(mode)
    from radixa.attention.native_backend import NativeAttention

    return NativeAttention(library, mode)


def make_cuda_attention(
    shape: HeadShape, mode: TreeMode, kernels: CudaKernels = "triton", dtype: str = "bfloat16"
) -> AttentionBackend:
    """A backend on the CUDA device. ConfigError where FlashInfer is wanted and not installed, or not for the dtype."""
    if kernels == "triton":
        from radixa.attention.triton.backend import TritonAttention

        return TritonAttention(shape, "cuda", mode)
    wanted = f"[engine] attention_kernels = {kernels!r}"
    if dtype != "bfloat16":
        raise ConfigError(f"{wanted}: it has none for {dtype}; expected dtype = 'bfloat16', or 'triton'")
    try:
        from radixa.attention.flashinfer.backend import FlashInferAttention
    except ImportError as error:
        raise ConfigError(f"{wanted}: {error}; expected flashinfer-python 0.6.14 installed, or 'triton'") from error
    return FlashInferAttention(shape, "cuda", mode)
