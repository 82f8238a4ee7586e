"""Tiny random checkpoints of each family, made by `transformers`, and a way to run our decoder on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from radixa.attention.base import AttentionBackend, SequenceLayout
from radixa.attention.torch_backend import TorchAttention
from radixa.kernels.torch_ops import TorchOps
from radixa.kv.base import Segment
from radixa.kv.storage import KVStorage
from radixa.models.base import Decoder, DecoderInput
from radixa.models.load import load_decoder, open_folder

COMMON: dict[str, Any] = {
    "vocab_size": 131,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama-biased": {"attention_bias": True, "mlp_bias": True},
    "llama-tied-wide-heads": {"tie_word_embeddings": True, "head_dim": 16, "rms_norm_eps": 1e-5},
    "mistral": {"sliding_window": None},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
    "qwen3-biased": {"head_dim": 16, "attention_bias": True, "num_key_value_heads": 6},
}
ROPES: dict[str, dict[str, Any]] = {
    "default": {"rope_type": "default", "rope_theta": 5000.0},
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
    "yarn": {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 128,
    },
    "yarn-weighted": {
        "rope_type": "yarn",
        "rope_theta": 10000.0,
        "factor": 4.0,
        "beta_fast": 16.0,
        "beta_slow": 2.0,
        "mscale": 1.2,
        "mscale_all_dim": 0.7,
        "original_max_position_embeddings": 128,
    },
}


def make_model(kind: str, folder: Path, **changes: Any) -> Any:
    """A `transformers` model with random weights, float32, also saved to `folder`.

    Norm weights and biases are random as well: a decoder that left them out would not be equal by luck.
    """
    import transformers

    family = kind.split("-", 1)[0]
    options = COMMON | FAMILIES.get(kind, {}) | changes
    torch.manual_seed(7)
    config = transformers.AutoConfig.for_model(family, **options)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            else:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return model


def load(folder: Path, dtype: str = "float32", *, product: str = "torch") -> Decoder:
    return load_decoder(open_folder(folder), dtype, TorchOps(), TorchAttention(), product=product)


class Session:
    """Sequences running through a decoder, each with a run of slots of its own."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        room: int = 128,
        sequences: int = 1,
        dtype: str = "float32",
        attention: AttentionBackend | None = None,
    ) -> None:
        config = decoder.config
        self.decoder = decoder
        self.room = room
        self.storage = KVStorage.allocate(
            config.layers, config.kv_heads, config.head_size, room * sequences, getattr(torch, dtype)
        )
        self.done = [0] * sequences
        self._attention = attention or TorchAttention()

    def step(self, tokens: Sequence[Sequence[int]], *, rows: Sequence[int] | None = None) -> torch.Tensor:
        """Feed the next tokens of each sequence; logits of all rows, or of `rows`."""
        positions, slots, layouts = [], [], []
        for i, new in enumerate(tokens):
            at = range(self.done[i], self.done[i] + len(new))
            self.done[i] += len(new)
            positions += list(at)
            slots += [i * self.room + position for position in at]
            layouts.append(SequenceLayout(len(new), [Segment(0, i * self.room, self.done[i])]))
        flat = [token for new in tokens for token in new]
        wanted = range(len(flat)) if rows is None else rows
        step = DecoderInput(
            token_ids=torch.tensor(flat),
            positions=torch.tensor(positions),
            slots=torch.tensor(slots),
            logit_rows=torch.tensor(list(wanted), dtype=torch.int64),
            plan=self._attention.plan(layouts),
        )
        return self.decoder.forward(step, self.storage)


def expected(model: Any, tokens: Sequence[int]) -> torch.Tensor:
    """What `transformers` says about one prompt: logits [N, vocab]."""
    with torch.inference_mode():
        logits: torch.Tensor = model(torch.tensor([list(tokens)])).logits[0].float()
    return logits


def read_by_transformers(gguf: Path) -> Any:
    """The model in a GGUF file, float32, dequantised and put in order by `transformers`' own reader."""
    import transformers
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = transformers.AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    read = load_gguf_checkpoint(str(gguf), return_tensors=True, model_to_load=model)
    missing = model.load_state_dict(read["tensors"], strict=False).missing_keys
    assert missing == (["lm_head.weight"] if config.tie_word_embeddings else [])
    model.tie_weights()
    return model
