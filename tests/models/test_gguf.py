"""GGUF files: every type of tensor, every architecture, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from radixa.core.base import Message
from radixa.core.errors import ModelError
from radixa.core.tokens import unpack
from radixa.models.chat_template import load_chat_template
from radixa.models.convert import convert, ensure_weights
from radixa.models.gguf_config import gguf_config
from radixa.models.gguf_file import GGUFFile
from radixa.models.load import open_folder
from radixa.models.tokenizer import load_tokenizer
from tests.models.checkpoints import Session, expected, load, read_by_transformers
from tests.models.gguf_files import HEAD, K_QUANTS, LAYERS, QUANTISED, VOCAB, random_weights, write_gguf

HF_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "blk.1.attn_q.weight": "model.layers.1.self_attn.q_proj.weight",
    "blk.0.attn_k.weight": "model.layers.0.self_attn.k_proj.weight",
    "blk.0.attn_v.weight": "model.layers.0.self_attn.v_proj.weight",
    "blk.1.attn_output.weight": "model.layers.1.self_attn.o_proj.weight",
    "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
    "output_norm.weight": "model.norm.weight",
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("kind", [*QUANTISED, *K_QUANTS])
def test_every_type_of_tensor_is_dequantised(kind: str, tmp_path: Path) -> None:
    stored = write_gguf(tmp_path / "model.gguf", random_weights(), kind=kind)
    folder = convert(tmp_path / "model.gguf", "model")
    ensure_weights(folder, "float32")
    found = safetensors.torch.load_file(folder / "model.float32.safetensors")
    assert len(found) == len(stored)
    for gguf_name, hf_name in HF_NAMES.items():
        assert np.isfinite(stored[gguf_name]).all()
        np.testing.assert_array_equal(found[hf_name].numpy(), stored[gguf_name])


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_converted_folder_is_that_model(architecture: str, tied: bool, tmp_path: Path) -> None:
    """`transformers` reads the converted folder as it is, and computes what we compute."""
    import transformers

    weights = random_weights(architecture=architecture, tied=tied)
    write_gguf(tmp_path / "m.gguf", weights, architecture=architecture, kind="Q8_0")
    folder = convert(tmp_path / "m.gguf", "m")
    decoder = load(folder)
    assert decoder.config.tied_head == tied
    assert decoder.config.qk_norm == (architecture == "qwen3")
    assert decoder.config.eos_token_ids == (2,)
    assert decoder.config.head_size == HEAD
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, variant="float32", dtype=torch.float32)
    prompt = [3, 250, 17, 99, 42, 7]
    assert torch.equal(Session(decoder).step([prompt]), expected(model, prompt))


@pytest.mark.parametrize("kind", ["F16", "Q4_1"])
def test_equals_the_gguf_reader_of_transformers(kind: str, tmp_path: Path) -> None:
    """Which undoes the permutation of q and k in its own code."""
    write_gguf(tmp_path / "m.gguf", random_weights(), kind=kind)
    model = read_by_transformers(tmp_path / "m.gguf")
    decoder = load(convert(tmp_path / "m.gguf", "m"))
    prompt = [3, 250, 17, 99, 42, 7]
    assert torch.equal(Session(decoder).step([prompt]), expected(model, prompt))


def test_bfloat16_weights_are_the_rounded_float32_ones(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights(), kind="Q4_1")
    folder = convert(tmp_path / "m.gguf", "m")
    for dtype in ("float32", "bfloat16"):
        ensure_weights(folder, dtype)
    wide = safetensors.torch.load_file(folder / "model.float32.safetensors")
    narrow = safetensors.torch.load_file(folder / "model.bfloat16.safetensors")
    assert wide.keys() == narrow.keys()
    assert all(torch.equal(wide[name].bfloat16(), narrow[name]) for name in wide)


def test_tokenizer_and_template_come_along(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights())
    folder = convert(tmp_path / "m.gguf", "m")
    tokenizer = load_tokenizer(folder)
    ids = unpack(tokenizer.encode("hello wé<|im_end|>"))
    assert [tokenizer.token_bytes(i) for i in ids[:-1]] == [b"hello", b" w", b"\xc3", b"\xa9"]
    assert ids[-1] == 2
    text = load_chat_template(folder).render([Message("user", "hi")])
    assert text == "<|im_start|>user: hi<|im_end|>"


def test_llama_3_frequencies_come_along(tmp_path: Path) -> None:
    factors = np.linspace(1, 8, HEAD // 2, dtype=np.float32)
    write_gguf(tmp_path / "m.gguf", random_weights() | {"rope_freqs.weight": factors})
    folder = convert(tmp_path / "m.gguf", "m")
    scaling = open_folder(folder).config.rope_scaling
    assert scaling is not None
    assert scaling["factors"] == factors.tolist()
    assert Session(load(folder)).step([[1, 2, 3]]).shape == (3, VOCAB)


@pytest.mark.parametrize(
    ("values", "scaling"),
    [
        (
            {"{arch}.rope.scaling.type": "linear", "{arch}.rope.scaling.factor": 4.0},
            {"rope_type": "linear", "factor": 4.0},
        ),
        ({"{arch}.rope.scale_linear": 2.0}, {"rope_type": "linear", "factor": 2.0}),
        ({"{arch}.rope.scaling.type": "none"}, None),
        (
            {
                "{arch}.rope.scaling.type": "yarn",
                "{arch}.rope.scaling.factor": 2.0,
                "{arch}.rope.scaling.original_context_length": 512,
            },
            {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 512},
        ),
    ],
)
def test_rope_scaling_of_the_metadata(values: dict[str, Any], scaling: dict[str, Any] | None, tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights(), values=values)
    assert open_folder(convert(tmp_path / "m.gguf", "m")).config.rope_scaling == scaling


def test_a_sliding_window_caps_the_context(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights(), values={"{arch}.attention.sliding_window": 256})
    config = gguf_config(GGUFFile(tmp_path / "m.gguf"))
    assert config["max_position_embeddings"] == 1024
    assert open_folder(convert(tmp_path / "m.gguf", "m")).config.context_length == 256


@pytest.mark.parametrize(
    ("architecture", "values", "message"),
    [
        ("gemma3", {}, "architecture is gemma3; supported are llama, qwen2, qwen3"),
        ("llama", {"{arch}.expert_count": 8}, "mixture of experts"),
        ("llama", {"{arch}.rope.dimension_count": 16}, "16 of 32 elements"),
        ("llama", {"split.count": 2}, "one part of a split model"),
    ],
)
def test_what_is_refused_and_why(architecture: str, values: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights(), architecture=architecture, values=values)
    with pytest.raises(ModelError, match=message):
        convert(tmp_path / "m.gguf", "m")


def test_an_unknown_way_to_cut_words_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights(), pre="nobody-knows")
    with pytest.raises(ModelError, match="words are cut as 'nobody-knows'; known here are default"):
        convert(tmp_path / "m.gguf", "m")


def test_unknown_tensors_are_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights() | {"blk.0.attn_sinks.weight": np.ones(8, dtype=np.float32)})
    folder = convert(tmp_path / "m.gguf", "m")
    with pytest.raises(ModelError, match=r"tensor blk\.0\.attn_sinks\.weight belongs to no supported llama model"):
        ensure_weights(folder, "float32")


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, random_weights())
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"not a model" * 100, "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(ModelError, match=r"m\.gguf is not a readable GGUF file"):
        convert(path, "m")
    with pytest.raises(ModelError, match="no such file"):
        GGUFFile(tmp_path / "absent.gguf")


def test_layers_are_complete(tmp_path: Path) -> None:
    weights = random_weights()
    del weights[f"blk.{LAYERS - 1}.ffn_up.weight"]
    write_gguf(tmp_path / "m.gguf", weights)
    with pytest.raises(ModelError, match=r"no tensor model\.layers\.1\.mlp\.up_proj\.weight"):
        load(convert(tmp_path / "m.gguf", "m"))
