"""A GGUF file's metadata as `config.json`, and its tensor names and layouts as Hugging Face's."""

from __future__ import annotations

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
    vocab_rows = int(file.tensors["token_embd.weight"].shape[1])
    config: dict[str, Any] = {
        "architectures": [{"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}.get(family, "Qwen3ForCausalLM")],
        "model_type": family,
        "vocab_size": vocab_rows,
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
    """Hugging Face name to GGUF name of every weight, in the order the forward pass uses them."""
    named = {}
    for gguf_name in sorted(file.tensors, key=_order):
        if gguf_name not in _NOT_WEIGHTS:
            named[_hf_name(file, gguf_name)] = gguf_name
    return named


def _order(gguf_name: str) -> tuple[int, int]:
    """Top tensors first, then layer by layer with q, k, v and gate, up next to each other."""
    parts = gguf_name.split(".")
    if parts[0] != "blk":
        return -1, list(_TOP_PARTS).index(parts[0]) if parts[0] in _TOP_PARTS else 99
    return int(parts[1]), list(_LAYER_PARTS).index(parts[2]) if parts[2] in _LAYER_PARTS else 99


def _hf_name(file: GGUFFile, gguf_name: str) -> str:
    match gguf_name.split("."):
        case ["blk", layer, part, kind] if part in _LAYER_PARTS:
            return f"model.layers.{layer}.{_LAYER_PARTS[part]}.{kind}"
        case [part, kind] if part in _TOP_PARTS:
            return f"{_TOP_PARTS[part]}.{kind}"
    raise ModelError(f"{file.path}: tensor {gguf_name} belongs to no supported {file.architecture} model")


def read_weight(file: GGUFFile, gguf_name: str) -> FloatArray:
    """One weight, float32, in Hugging Face's layout.

    llama.cpp's converter reorders the rows of q and k of `llama` models, because its rotation pairs neighbours where
    Hugging Face pairs halves; here they are put back.
    """
    values = file.tensor(gguf_name)
    if file.architecture != "llama" or (".attn_q." not in gguf_name and ".attn_k." not in gguf_name):
        return values
    heads = int(file.need("attention.head_count"))
    if ".attn_k." in gguf_name:
        heads = int(file.arch("attention.head_count_kv") or heads)
    pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)
