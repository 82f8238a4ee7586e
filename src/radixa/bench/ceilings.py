"""What a machine allows: the work a model's matrix products are, at rates measured in the same run.

Machines differ by a factor of three, and on some bfloat16 is slower than float32, so a speed alone says little, and its
share of a ceiling taken in the same run says what the code is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

from radixa.core.machine import cpu_name
from radixa.models.base import ModelConfig

_SMALL_SIZE = 256
_FAR_BELOW = 0.1
"""Of the float32 rate: what a small product does less than this in bfloat16, a large one does not make good."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine a figure was taken on."""

    cpu: str
    threads: int
    torch: str
    float32_flops: float
    """Multiply-adds count as two operations; from a product of two 2048 x 2048 matrices."""
    bfloat16_flops: float
    """Likewise, or from a smaller product where it is far below the other."""

    @property
    def best_flops(self) -> float:
        return max(self.float32_flops, self.bfloat16_flops)


def measure_machine() -> Machine:
    """Takes the rates now, with as many threads as torch uses.

    Where a processor has no bfloat16, one product of the full size takes minutes: a small one then has to do, since its
    rate is no ceiling of anything.
    """
    import torch

    from radixa.models.probe import matmul_rate

    float32 = matmul_rate("float32")
    bfloat16 = matmul_rate("bfloat16", _SMALL_SIZE)
    if bfloat16 > float32 * _FAR_BELOW:
        bfloat16 = matmul_rate("bfloat16")
    return Machine(
        cpu=cpu_name(),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        float32_flops=float32,
        bfloat16_flops=bfloat16,
    )


def prefill_flops(config: ModelConfig, tokens: int) -> float:
    """Operations of one prompt's matrix products: all projections, causal attention, one row of logits."""
    attention_width = config.heads * config.head_size
    kv_width = config.kv_heads * config.head_size
    per_layer = config.hidden_size * (2 * attention_width + 2 * kv_width + 3 * config.intermediate_size)
    projections = 2 * config.layers * per_layer * tokens
    attention = 2 * config.layers * attention_width * tokens * (tokens + 1)
    return float(projections + attention + 2 * config.hidden_size * config.vocab_size)
