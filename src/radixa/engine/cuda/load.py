"""What is loaded otherwise on a CUDA device than on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

import torch

from radixa.core.errors import ConfigError
from radixa.engine.loop import EngineLoop
from radixa.kv.base import PrefixCache
from radixa.kv.storage import KVStorage
from radixa.models.base import ModelConfig

if TYPE_CHECKING:
    from radixa.attention.base import AttentionBackend
    from radixa.attention.graphs import GraphAttention
    from radixa.engine.base import EngineSettings
    from radixa.kernels.triton.ops import TritonOps
    from radixa.models.decoder import LlamaDecoder

LEFT = 6 << 30
"""Bytes of the device that neither weights nor the KV pool take: a step's activations, graphs, what torch keeps."""


def usable_device(wanted: str) -> Literal["cpu", "cuda"]:
    """The device that `cuda` or `auto` means here. ConfigError where `cuda` is wanted and cannot be used."""
    why = _missing()
    if why is None:
        return "cuda"
    if wanted == "auto":
        return "cpu"
    raise ConfigError(f"[engine] device = 'cuda': {why}; expected 'cpu' or 'auto'")


def _missing() -> str | None:
    """Why there is no CUDA device to compute on; None where there is one."""
    if not torch.cuda.is_available():
        return "torch sees no CUDA device here"
    try:
        import triton  # noqa: F401 - whether it is installed
    except ImportError:
        return "triton is not installed"
    return None


def free_bytes() -> int:
    """What a KV pool may take now, once the weights are there."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    return max(0, free - LEFT)


def computing(config: ModelConfig, settings: EngineSettings) -> tuple[TritonOps, AttentionBackend]:
    """The operations and the attention. ConfigError for heads that the attention does not take."""
    from radixa.attention.graphs import HeadShape
    from radixa.attention.select import make_cuda_attention
    from radixa.kernels.triton.ops import TritonOps

    group = config.heads // config.kv_heads
    if config.head_size not in (64, 128) or group > 8:
        raise ConfigError(
            f"[engine] device = 'cuda': the model has heads of {config.head_size} elements, {group} to a KV head; "
            "expected 64 or 128, and at most 8"
        )
    shape = HeadShape(config.kv_heads, group, config.head_size)
    attention = make_cuda_attention(shape, settings.attention, settings.attention_kernels, settings.dtype)
    return TritonOps(), attention


def overlapped(
    decoder: LlamaDecoder, storage: KVStorage, cache: PrefixCache, settings: EngineSettings
) -> Callable[..., EngineLoop]:
    """What makes the loop, with a runner that owns the model and the storage."""
    from radixa.engine.cuda.overlap import OverlappedLoop
    from radixa.engine.cuda.runner import CudaRunner

    runner = CudaRunner(
        decoder,
        storage,
        cast("GraphAttention", decoder.attention),
        cache,
        step_rows=settings.step_tokens,
        max_running=settings.max_running,
    )
    runner.capture()
    return partial(OverlappedLoop, device=runner)
