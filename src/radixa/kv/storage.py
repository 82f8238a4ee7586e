"""The tensors behind the slots.

K and V are laid out head-major, `[layer, kv head, slot, head size]`, so that a run of slots is, for each head, one
contiguous matrix `[length, head size]`: an operand of a matrix product as it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class KVStorage:
    """K and V of every slot: two tensors `[layers, kv_heads, capacity, head_size]` of the model's dtype."""

    k: torch.Tensor
    v: torch.Tensor

    @property
    def capacity(self) -> int:
        return self.k.shape[2]

    @staticmethod
    def bytes_per_slot(layers: int, kv_heads: int, head_size: int, itemsize: int) -> int:
        return 2 * layers * kv_heads * head_size * itemsize

    @classmethod
    def allocate(
        cls, layers: int, kv_heads: int, head_size: int, capacity: int, dtype: torch.dtype, device: str = "cpu"
    ) -> KVStorage:
        """Uninitialised storage. On the CPU the pages are taken from the system as slots are first written."""
        import torch

        shape = (layers, kv_heads, capacity, head_size)
        return cls(torch.empty(shape, dtype=dtype, device=device), torch.empty(shape, dtype=dtype, device=device))
