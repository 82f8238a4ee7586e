"""`config.json` in its several spellings, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from radixa.core.errors import ModelError
from radixa.models.base import ModelConfig
from radixa.models.config import read_config

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 100,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
}


def read(folder: Path, *without: str, generation: dict[str, Any] | None = None, **changes: Any) -> ModelConfig:
    raw = {key: value for key, value in (LLAMA | changes).items() if key not in without}
    (folder / "config.json").write_text(json.dumps(raw))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return read_config(folder)


def test_defaults_of_an_old_llama(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert (config.family, config.kv_heads, config.head_size) == ("llama", 4, 16)
    assert (config.rope_theta, config.rope_scaling, config.context_length) == (10000.0, None, 4096)
    flags = (config.tied_head, config.qkv_bias, config.output_bias, config.mlp_bias, config.qk_norm)
    assert flags == (False,) * 5


def test_both_spellings_of_rope(tmp_path: Path) -> None:
    scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 512}
    old = read(tmp_path, rope_theta=5e5, rope_scaling={"type": "llama3", **scaling})
    older = read(tmp_path, rope_theta=5e5, rope_scaling={"rope_type": "llama3", "type": "llama3", **scaling})
    new = read(tmp_path, rope_parameters={"rope_type": "llama3", "rope_theta": 5e5, **scaling})
    assert old == older == new
    assert new.rope_scaling == {"rope_type": "llama3", **scaling}
    assert new.rope_theta == 5e5


def test_default_and_dynamic_rope_have_no_scaling(tmp_path: Path) -> None:
    assert read(tmp_path, rope_parameters={"rope_type": "default", "rope_theta": 7.0}).rope_theta == 7.0
    dynamic = read(tmp_path, rope_scaling={"type": "dynamic", "factor": 4.0})
    assert (dynamic.rope_scaling, dynamic.context_length) == (None, 4096)


def test_yarn_extends_the_context(tmp_path: Path) -> None:
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
    assert read(tmp_path, rope_scaling=yarn).context_length == 16384
    assert read(tmp_path, rope_scaling=yarn, max_position_embeddings=32768).context_length == 32768
    implied = read(tmp_path, rope_scaling={"rope_type": "yarn", "original_max_position_embeddings": 1024})
    assert implied.rope_scaling is not None
    assert implied.rope_scaling["factor"] == 4.0


def test_families_differ_in_biases_and_norms(tmp_path: Path) -> None:
    qwen2 = read(tmp_path, model_type="qwen2")
    assert (qwen2.qkv_bias, qwen2.output_bias, qwen2.qk_norm) == (True, False, False)
    qwen3 = read(tmp_path, model_type="qwen3")
    assert (qwen3.qkv_bias, qwen3.qk_norm, qwen3.head_size) == (False, True, 128)
    llama = read(tmp_path, attention_bias=True, mlp_bias=True)
    assert (llama.qkv_bias, llama.output_bias, llama.mlp_bias) == (True, True, True)


@pytest.mark.parametrize(
    ("changes", "context"),
    [
        ({"model_type": "mistral", "sliding_window": 1024}, 1024),
        ({"model_type": "mistral", "sliding_window": 8192}, 4096),
        ({"model_type": "mistral", "sliding_window": None}, 4096),
        ({"model_type": "llama", "sliding_window": 1024}, 4096),
        ({"model_type": "qwen2", "sliding_window": 1024}, 4096),
        ({"model_type": "qwen2", "sliding_window": 1024, "use_sliding_window": True, "max_window_layers": 1}, 1024),
        ({"model_type": "qwen2", "sliding_window": 1024, "use_sliding_window": True, "max_window_layers": 2}, 4096),
        ({"model_type": "qwen3", "sliding_window": 1024, "layer_types": ["full_attention"] * 2}, 4096),
        ({"model_type": "qwen3", "sliding_window": 99, "layer_types": ["full_attention", "sliding_attention"]}, 99),
    ],
)
def test_a_window_that_is_used_caps_the_context(changes: dict[str, Any], context: int, tmp_path: Path) -> None:
    assert read(tmp_path, **changes).context_length == context


def test_end_tokens_of_both_files(tmp_path: Path) -> None:
    assert read(tmp_path).eos_token_ids == ()
    assert read(tmp_path, eos_token_id=2).eos_token_ids == (2,)
    assert read(tmp_path, eos_token_id=[2, 5]).eos_token_ids == (2, 5)
    assert read(tmp_path, eos_token_id=2, generation={"eos_token_id": [7, 2]}).eos_token_ids == (2, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt_bigcode"}, "architecture is gpt_bigcode; supported are llama, mistral, qwen2, qwen3"),
        ({"model_type": None, "architectures": ["FooForCausalLM"]}, "architecture is FooForCausalLM"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised by 'gptq'"),
        ({"rope_scaling": {"type": "longrope"}}, "RoPE scaling 'longrope' is not supported"),
        ({"rope_scaling": {"type": "linear"}}, "'linear' without 'factor'"),
        ({"partial_rotary_factor": 0.5}, r"partial_rotary_factor is 0\.5"),
        ({"num_key_value_heads": 3}, "do not divide evenly"),
        ({"hidden_size": "64"}, "hidden_size is '64'; expected a positive integer"),
        ({"vocab_size": 0}, "vocab_size is 0"),
    ],
)
def test_what_is_refused_and_why(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        read(tmp_path, **changes)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, "latin-1")
    with pytest.raises(ModelError, match=r"config\.json"):
        read_config(tmp_path)


def test_a_folder_without_configuration(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config\.json: not a model folder"):
        read_config(tmp_path)
