"""The bare loop: the same decoder over contiguous KV, with no engine around it.

It is the ceiling that the engine's decode speed is held against. Every sequence owns one stretch of the storage, as
long as it will ever get; a step is a forward pass and an argmax, and nothing else happens.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radixa.attention.base import AttentionBackend, SequenceLayout
from radixa.kv.base import Segment
from radixa.kv.storage import KVStorage
from radixa.models.base import Decoder, DecoderInput

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class GroupedAttention:
    """One batched product over contiguous KV: query heads folded into rows, all sequences of equal length.

    The form that is fastest in plain torch where every sequence has its own contiguous KV; it decodes only.
    """

    name = "grouped"

    def __init__(self, batch: int) -> None:
        self._batch = batch

    def plan(self, layouts: Sequence[SequenceLayout]) -> int:
        """The length all sequences have in common."""
        return layouts[0].context

    def attend(self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: int, scale: float) -> Tensor:
        rows, heads, size = q.shape
        kv_heads, capacity = k_layer.shape[0], k_layer.shape[1]
        each = capacity // self._batch
        k = k_layer.view(kv_heads * self._batch, each, size)[:, :plan]
        v = v_layer.view(kv_heads * self._batch, each, size)[:, :plan]
        folded = q.view(rows, kv_heads, heads // kv_heads, size).transpose(0, 1)
        folded = folded.reshape(kv_heads * rows, heads // kv_heads, size) * scale
        out = (folded @ k.transpose(1, 2)).softmax(-1) @ v
        return out.view(kv_heads, rows, -1, size).transpose(0, 1).reshape(rows, heads * size)


@dataclass(slots=True)
class BareLoop:
    """`batch` sequences that have `context` tokens each; `step` decodes one more for all of them."""

    decoder: Decoder
    attention: AttentionBackend
    storage: KVStorage
    context: int
    batch: int
    last: Tensor

    @classmethod
    def start(
        cls, decoder: Decoder, attention: AttentionBackend, dtype: torch.dtype, context: int, batch: int, room: int
    ) -> BareLoop:
        """`room`: tokens a sequence may reach. KV is filled with small random numbers: no time depends on them."""
        import torch

        config = decoder.config
        capacity = batch * room
        storage = KVStorage.allocate(config.layers, config.kv_heads, config.head_size, capacity, dtype)
        storage.k.normal_(std=0.1)
        storage.v.normal_(std=0.1)
        last = torch.randint(config.vocab_size, (batch,), generator=torch.Generator().manual_seed(0))
        return cls(decoder, attention, storage, context, batch, last)

    def step(self) -> float:
        """Seconds of one step."""
        import torch

        start = time.perf_counter()
        each = self.storage.capacity // self.batch
        slots = torch.arange(self.batch) * each + self.context
        layouts = [SequenceLayout(1, [Segment(0, b * each, self.context + 1)]) for b in range(self.batch)]
        step = DecoderInput(
            token_ids=self.last,
            positions=torch.full((self.batch,), self.context),
            slots=slots,
            logit_rows=torch.arange(self.batch),
            plan=self.attention.plan(layouts),
        )
        self.last = self.decoder.forward(step, self.storage).argmax(-1)
        self.context += 1
        return time.perf_counter() - start
