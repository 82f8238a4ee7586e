"""`config.json` of a Hugging Face folder to `ModelConfig`. Pure Python: the gateway reads it without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from radixa.core.errors import ModelError
from radixa.models.base import ModelConfig

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
ROPE_TYPES = ("default", "linear", "dynamic", "llama3", "yarn", "factors")
"""`factors` is ours: a GGUF file may carry one divisor per frequency instead of a rule (`gguf_config.py`)."""

# What `transformers` assumes where an old file leaves the key out.
_CONTEXT_DEFAULT = {"llama": 2048, "mistral": 131072, "qwen2": 32768, "qwen3": 32768}


def read_config(folder: Path) -> ModelConfig:
    """The shape of the model in `folder`. ModelError names the file, the key and what is supported.

    **Sliding windows.** Within its window a sliding-window layer is plain causal attention, so a model that really uses
    one is served up to the window: `context_length` is capped to it. **Dynamic RoPE** changes a key's rotation with the
    length of the whole sequence, which no prefix cache can follow; up to `max_position_embeddings` it is the plain
    rotation, and that is the context it is served with. **YaRN** extends the context to `factor` times the original.
    """
    path = folder / "config.json"
    raw = _read_json(path)
    family = _family(raw, path)
    if raw.get("quantization_config"):
        method = raw["quantization_config"].get("quant_method", "unknown")
        raise ModelError(f"{path}: weights quantised by {method!r}; serve the unquantised model, or a GGUF file of it")
    act = raw.get("hidden_act", "silu")
    if act != "silu":
        raise ModelError(f"{path}: hidden_act is {act!r}; only 'silu' is supported")
    hidden, heads = _need(raw, "hidden_size", path), _need(raw, "num_attention_heads", path)
    head_size = raw.get("head_dim") or (128 if family == "qwen3" else hidden // heads)
    kv_heads = raw.get("num_key_value_heads") or heads
    if heads % kv_heads or head_size % 2:
        raise ModelError(f"{path}: {heads} heads of {head_size} over {kv_heads} KV heads do not divide evenly")
    context = int(raw.get("max_position_embeddings") or _CONTEXT_DEFAULT[family])
    theta, scaling = _rope(raw, context, path)
    if scaling is not None and scaling["rope_type"] == "yarn":
        context = max(context, int(scaling["original_max_position_embeddings"] * scaling["factor"]))
    window = _window(raw, family)
    attention_bias = bool(raw.get("attention_bias", False)) and family in ("llama", "qwen3")
    return ModelConfig(
        family=family,
        vocab_size=_need(raw, "vocab_size", path),
        hidden_size=hidden,
        layers=_need(raw, "num_hidden_layers", path),
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        intermediate_size=_need(raw, "intermediate_size", path),
        context_length=context if window is None else min(context, window),
        norm_eps=float(raw.get("rms_norm_eps", 1e-6)),
        rope_theta=theta,
        rope_scaling=scaling,
        tied_head=bool(raw.get("tie_word_embeddings", False)),
        qkv_bias=attention_bias or family == "qwen2",
        output_bias=attention_bias,
        mlp_bias=bool(raw.get("mlp_bias", False)) and family == "llama",
        qk_norm=family == "qwen3",
        eos_token_ids=_eos(folder, raw),
    )


def _family(raw: dict[str, Any], path: Path) -> str:
    kind = raw.get("model_type")
    if kind in FAMILIES:
        return str(kind)
    named = kind or ", ".join(raw.get("architectures") or []) or "not named"
    raise ModelError(f"{path}: the architecture is {named}; supported are {', '.join(FAMILIES)}")


def _rope(raw: dict[str, Any], context: int, path: Path) -> tuple[float, dict[str, Any] | None]:
    """Base and scaling, from `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (before)."""
    table: dict[str, Any] = dict(raw.get("rope_parameters") or raw.get("rope_scaling") or {})
    theta = float(table.pop("rope_theta", None) or raw.get("rope_theta") or 10000.0)
    kind = table.pop("rope_type", None) or table.pop("type", None) or "default"
    table.pop("type", None)
    if kind not in ROPE_TYPES:
        raise ModelError(f"{path}: RoPE scaling {kind!r} is not supported; supported are {', '.join(ROPE_TYPES)}")
    partial = table.pop("partial_rotary_factor", None) or raw.get("partial_rotary_factor") or 1.0
    if partial != 1.0:
        raise ModelError(f"{path}: partial_rotary_factor is {partial}; only whole heads are rotated here (1.0)")
    if kind in ("default", "dynamic"):
        return theta, None
    needed = {"linear": ("factor",), "yarn": (), "llama3": ("factor", "low_freq_factor", "high_freq_factor")}
    for key in needed.get(kind, ("factors",)):
        if table.get(key) is None:
            raise ModelError(f"{path}: RoPE scaling {kind!r} without {key!r}")
    if kind in ("llama3", "yarn"):
        original = table.get("original_max_position_embeddings") or raw.get("original_max_position_embeddings")
        table["original_max_position_embeddings"] = int(original or context)
    if kind == "yarn":
        table["factor"] = float(table.get("factor") or context / table["original_max_position_embeddings"])
    return theta, {"rope_type": kind, **table}


def _window(raw: dict[str, Any], family: str) -> int | None:
    """The sliding window that layers of this model really use, in tokens."""
    window = raw.get("sliding_window")
    if not window:
        return None
    if raw.get("layer_types"):
        return int(window) if "sliding_attention" in raw["layer_types"] else None
    if family == "llama":
        return None
    if family == "mistral":
        return int(window)
    used = raw.get("use_sliding_window", False) and raw.get("max_window_layers", 28) < raw["num_hidden_layers"]
    return int(window) if used else None


def _eos(folder: Path, raw: dict[str, Any]) -> tuple[int, ...]:
    """Tokens that end an answer: those of `config.json` and of `generation_config.json`, which chat models extend."""
    found: list[int] = []
    generation = folder / "generation_config.json"
    tables = [raw, _read_json(generation)] if generation.is_file() else [raw]
    for table in tables:
        value = table.get("eos_token_id")
        found += value if isinstance(value, list) else [] if value is None else [value]
    return tuple(dict.fromkeys(found))


def _need(raw: dict[str, Any], key: str, path: Path) -> int:
    value = raw.get(key)
    if not isinstance(value, int) or value <= 0:
        raise ModelError(f"{path}: {key} is {value!r}; expected a positive integer")
    return value


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent} has no {path.name}: not a model folder in Hugging Face layout") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(value).__name__}")
    return value
