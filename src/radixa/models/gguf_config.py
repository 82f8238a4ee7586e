"""A GGUF file's metadata as `config.json`, and its tensor names and layouts as Hugging Face's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from radixa.core.errors import ModelError
from radixa.models.gguf_file import GGUFFile

if TYPE_CHECKING:
    from radixa.models.gguf_file import FloatArray

_LAYER_PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP_PARTS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_NOT_WEIGHTS = ("rope_freqs.weight",)
"""Tensors that are part of the configuration."""
_PIECE = 1 << 22
"""Elements dequantised at a time: memory is a few times these, however large the model."""


def gguf_config(file: GGUFFile) -> dict[str, Any]:
    """`config.json` for the model in `file`. ModelError where it has parts no supported family has (experts)."""
    if file.arch("expert_count", 0):
        raise ModelError(
            f"{file.path} is a mixture of experts ({file.arch('expert_count')}); only dense models run here"
        )
    heads, hidden = int(file.need("attention.head_count")), int(file.need("embedding_length"))
    head_size = int(file.arch("attention.key_length") or hidden // heads)
    rotated = int(file.arch("rope.dimension_count") or head_size)
    if rotated != head_size:
        raise ModelError(f"{file.path}: {rotated} of {head_size} elements of a head are rotated; only whole heads here")
    qkv_bias, output_bias = "blk.0.attn_q.bias" in file.tensors, "blk.0.attn_output.bias" in file.tensors
    # Of the families, Qwen2 is the one that is Llama with biases on q, k and v alone.
    family = "qwen2" if file.architecture == "llama" and qkv_bias and not output_bias else file.architecture
    eos = [file.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    config: dict[str, Any] = {
        "architectures": [{"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}.get(family, "Qwen3ForCausalLM")],
        "model_type": family,
        "vocab_size": file.shape("token_embd.weight")[0],
        "hidden_size": hidden,
        "num_hidden_layers": int(file.need("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(file.arch("attention.head_count_kv") or heads),
        "head_dim": head_size,
        "intermediate_size": int(file.need("feed_forward_length")),
        "max_position_embeddings": int(file.need("context_length")),
        "rms_norm_eps": float(file.need("attention.layer_norm_rms_epsilon")),
        "rope_parameters": _rope(file),
        "hidden_act": "silu",
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "attention_bias": qkv_bias and output_bias,
        "mlp_bias": "blk.0.ffn_down.bias" in file.tensors,
        "bos_token_id": file.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": list(dict.fromkeys(int(token) for token in eos if token is not None)),
    }
    window = file.arch("attention.sliding_window")
    if window:
        config |= {"sliding_window": int(window), "layer_types": ["sliding_attention"] * config["num_hidden_layers"]}
    return config


def _rope(file: GGUFFile) -> dict[str, Any]:
    table: dict[str, Any] = {"rope_type": "default", "rope_theta": float(file.arch("rope.freq_base", 10000.0))}
    if "rope_freqs.weight" in file.tensors:
        # Llama 3's scaling, worked out by the converter into one divisor per frequency.
        return table | {"rope_type": "factors", "factors": file.tensor("rope_freqs.weight").reshape(-1).tolist()}
    kind = file.arch("rope.scaling.type") or ("linear" if file.arch("rope.scale_linear") else "none")
    if kind == "none":
        return table
    factor = float(file.arch("rope.scaling.factor") or file.arch("rope.scale_linear") or 1.0)
    table |= {"rope_type": kind, "factor": factor}
    if file.arch("rope.scaling.original_context_length"):
        table["original_max_position_embeddings"] = int(file.arch("rope.scaling.original_context_length"))
    return table


def weight_names(file: GGUFFile) -> dict[str, str]:
    """Hugging Face name to GGUF name of every weight, in file order; ModelError for one of no supported model."""
    return {_hf_name(file, name): name for name in file.tensors if name not in _NOT_WEIGHTS}


def _hf_name(file: GGUFFile, gguf_name: str) -> str:
    match gguf_name.split("."):
        case ["blk", layer, part, kind] if part in _LAYER_PARTS:
            return f"model.layers.{layer}.{_LAYER_PARTS[part]}.{kind}"
        case [part, kind] if part in _TOP_PARTS:
            return f"{_TOP_PARTS[part]}.{kind}"
    raise ModelError(f"{file.path}: tensor {gguf_name} belongs to no supported {file.architecture} model")


def read_weight(file: GGUFFile, gguf_name: str) -> Iterator[FloatArray]:
    """One weight, float32, in Hugging Face's layout, some rows at a time.

    llama.cpp's converter reorders the rows of q and k of `llama` models, because its rotation pairs neighbours where
    Hugging Face pairs halves; here they are put back.
    """
    heads = _reordered_heads(file, gguf_name)
    if heads:
        values = file.tensor(gguf_name)
        pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
        yield pairs.swapaxes(1, 2).reshape(values.shape)
        return
    shape = file.shape(gguf_name)
    step = max(1, _PIECE // math.prod(shape[1:]))
    for first in range(0, shape[0], step):
        yield file.tensor(gguf_name, slice(first, first + step))


def _reordered_heads(file: GGUFFile, gguf_name: str) -> int:
    """The heads whose rows are in llama.cpp's order; 0 for a tensor that is not."""
    if file.architecture != "llama":
        return 0
    heads = int(file.need("attention.head_count"))
    if ".attn_k." in gguf_name:
        return int(file.arch("attention.head_count_kv") or heads)
    return heads if ".attn_q." in gguf_name else 0
