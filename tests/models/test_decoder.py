"""Our logits against those of `transformers`, on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from radixa.models.decoder import LlamaDecoder
from radixa.models.linear import KINDS
from radixa.models.rope import Rope
from tests.models.checkpoints import FAMILIES, ROPES, Session, expected, load, make_model

PROMPT = [1, 5, 9, 77, 130, 0, 3, 3, 64, 12, 99, 31, 8]


@pytest.mark.parametrize("kind", FAMILIES)
def test_equals_transformers_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    model = make_model(kind, tmp_path)
    assert torch.equal(Session(load(tmp_path)).step([PROMPT]), expected(model, PROMPT))


@pytest.mark.parametrize("rope", ROPES)
def test_rope_scalings_equal_transformers(rope: str, tmp_path: Path) -> None:
    model = make_model("llama", tmp_path, rope_parameters=ROPES[rope])
    prompt = [(7 * i) % 131 for i in range(100)]
    decoder = load(tmp_path)
    assert isinstance(decoder, LlamaDecoder)
    rotary = model.model.rotary_emb
    assert torch.equal(Rope(decoder.config).frequencies, rotary.inv_freq)
    assert Rope(decoder.config).scale == rotary.attention_scaling
    assert torch.equal(Session(decoder).step([prompt]), expected(model, prompt))


@pytest.mark.parametrize("kind", ["llama", "qwen3-biased"])
def test_chunks_and_batches_equal_whole_prompts(kind: str, tmp_path: Path) -> None:
    model = make_model(kind, tmp_path)
    decoder = load(tmp_path)
    other = [2, 6, 10, 78, 129, 1, 4]
    session = Session(decoder, sequences=2)
    session.step([PROMPT[:4], other[:1]])
    session.step([PROMPT[4:5], other[1:6]])
    logits = session.step([PROMPT[5:], other[6:]])
    torch.testing.assert_close(logits[: len(PROMPT) - 5], expected(model, PROMPT)[5:], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits[-1], expected(model, other)[-1], rtol=1e-4, atol=1e-5)


def test_token_by_token_equals_the_whole_prompt(tmp_path: Path) -> None:
    model = make_model("qwen2", tmp_path)
    session = Session(load(tmp_path))
    logits = torch.cat([session.step([[token]]) for token in PROMPT])
    torch.testing.assert_close(logits, expected(model, PROMPT), rtol=1e-4, atol=1e-5)


def test_only_the_wanted_rows_have_logits(tmp_path: Path) -> None:
    model = make_model("llama", tmp_path)
    logits = Session(load(tmp_path)).step([PROMPT], rows=[12, 3])
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected(model, PROMPT)[[12, 3]], rtol=1e-4, atol=1e-5)


def test_no_wanted_row_still_writes_the_keys(tmp_path: Path) -> None:
    model = make_model("llama", tmp_path)
    session = Session(load(tmp_path))
    assert session.step([PROMPT[:-1]], rows=[]).shape == (0, 131)
    torch.testing.assert_close(session.step([PROMPT[-1:]])[0], expected(model, PROMPT)[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("product", ["native", "onednn"])
def test_every_kind_of_product_gives_the_same_logits(kind: str, product: str, tmp_path: Path) -> None:
    make_model(kind, tmp_path)
    fast, plain = load(tmp_path, product=product), load(tmp_path)
    for rows in (1, 9, 100):
        prompt = [(5 * i + 1) % 131 for i in range(rows)]
        torch.testing.assert_close(Session(fast).step([prompt]), Session(plain).step([prompt]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("product", KINDS)
def test_bfloat16_is_as_near_to_float32_as_transformers(product: str, tmp_path: Path) -> None:
    reference = expected(make_model("llama", tmp_path), PROMPT)
    theirs = expected(transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16), PROMPT)
    ours = Session(load(tmp_path, "bfloat16", product=product), dtype="bfloat16").step([PROMPT])
    assert ours.dtype == torch.float32
    assert (ours - reference).square().mean() < 1.2 * (theirs - reference).square().mean()


def test_a_checkpoint_in_bfloat16_is_computed_in_float32(tmp_path: Path) -> None:
    make_model("llama", tmp_path).bfloat16().save_pretrained(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert torch.equal(Session(load(tmp_path)).step([PROMPT]), expected(model, PROMPT))


def test_a_checkpoint_in_shards(tmp_path: Path) -> None:
    model = make_model("llama", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert torch.equal(Session(load(tmp_path)).step([PROMPT]), expected(model, PROMPT))
