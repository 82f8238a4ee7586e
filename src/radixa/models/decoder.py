"""The forward pass of every supported family: one loop over the layers, told by a `ModelConfig` what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from radixa.attention.base import AttentionBackend
from radixa.kernels.base import Ops
from radixa.kv.storage import KVStorage
from radixa.models.base import DecoderInput, ModelConfig
from radixa.models.rope import Rope
from radixa.models.weights import Weights

if TYPE_CHECKING:
    from torch import Tensor


class LlamaDecoder:
    """`models.base.Decoder` for Llama, Mistral, Qwen2 and Qwen3."""

    def __init__(self, config: ModelConfig, weights: Weights, ops: Ops, attention: AttentionBackend) -> None:
        self.config = config
        self.weights = weights
        self.ops = ops
        self.attention = attention
        self._rope = Rope(config, weights.norm.device)
        self._scale = config.head_size**-0.5

    @torch.inference_mode()
    def forward(self, step: DecoderInput, storage: KVStorage) -> Tensor:
        """Write the step's K and V to their slots and return logits [M, vocab_size] float32."""
        ops, eps = self.ops, self.config.norm_eps
        cos, sin = self._rope.angles(step.positions)
        embedded = self.weights.embed(step.token_ids)
        residual = embedded.float()
        hidden = ops.rms_norm(embedded, self.weights.layers[0].input_norm, eps)
        x: Tensor | None = None
        last = self.config.layers - 1
        for i, layer in enumerate(self.weights.layers):
            if x is not None:
                hidden = ops.add_rms_norm(x, residual, layer.input_norm, eps)
            k, v = storage.k[i], storage.v[i]
            q = ops.rope_store(layer.qkv(hidden), cos, sin, step.slots, k, v, layer.q_norm, layer.k_norm, eps)
            attended = self.attention.attend(q, k, v, step.plan, self._scale)
            if i == last:
                # From here on only the rows whose logits are wanted matter.
                attended, residual = attended[step.logit_rows], residual[step.logit_rows]
            hidden = ops.add_rms_norm(layer.output(attended), residual, layer.mlp_norm, eps)
            x = layer.down(ops.gated(layer.gate_up, hidden))
        assert x is not None, "a model has at least one layer"
        return self.weights.head(ops.add_rms_norm(x, residual, self.weights.norm, eps))
