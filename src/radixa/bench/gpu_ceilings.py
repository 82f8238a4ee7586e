"""What a GPU allows: measured copy bandwidth and matrix rate, and the bytes and operations of a step."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from radixa.models.base import ModelConfig

COPY_BYTES = 4 << 30
MATRIX = 8192


@dataclass(frozen=True, slots=True)
class Gpu:
    """The device a figure was taken on, and its ceilings in the same run."""

    name: str
    torch: str
    triton: str
    driver: str
    copy_bytes: float
    """Bytes a second of a device-to-device copy, read and written."""
    matrix_flops: float
    """Of a product of two 8192 x 8192 bfloat16 matrices of random numbers."""


def measure_gpu() -> Gpu:
    import torch
    import triton

    copied, multiplied = _copied(), _multiplied()
    torch.cuda.empty_cache()
    return Gpu(
        name=torch.cuda.get_device_name(),
        torch=torch.__version__,
        triton=triton.__version__,
        driver=_driver(),
        copy_bytes=2 * COPY_BYTES / copied,
        matrix_flops=2 * MATRIX**3 / multiplied,
    )


def _copied() -> float:
    import torch

    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda").random_(0, 255)
    target = torch.empty_like(source)
    return timed(lambda: target.copy_(source))


def _multiplied() -> float:
    import torch

    left, right = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return timed(lambda: left @ right)


def timed(work: Callable[[], object], repeats: int = 10) -> float:
    """Seconds of `work` on the device, the median of `repeats` after three to warm up."""
    import torch

    for _ in range(3):
        work()
    times: list[float] = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return statistics.median(times)


def _driver() -> str:
    """The driver's version; empty where the tool that knows is not installed."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def weight_bytes(config: ModelConfig, itemsize: int = 2) -> int:
    """Bytes of weights that a decode step reads: all but the rows of the embedding it does not need."""
    attention, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    layer = config.hidden_size * (2 * attention + 2 * kv + 3 * config.intermediate_size)
    return itemsize * (config.layers * layer + config.vocab_size * config.hidden_size)
