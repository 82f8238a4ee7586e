"""The model and its KV storage: what turns a step's input into logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radixa.attention.base import AttentionBackend
from radixa.kv.storage import KVStorage
from radixa.models.base import Decoder, DecoderInput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Runner:
    """Owns the weights and the KV tensors."""

    decoder: Decoder
    storage: KVStorage
    attention: AttentionBackend

    def forward(self, step: DecoderInput) -> Tensor:
        """Logits [M, vocab] float32 of the rows asked for; K and V of every row are in their slots afterwards."""
        return self.decoder.forward(step, self.storage)
