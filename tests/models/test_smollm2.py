"""The real model: its tokenizer, its template, its answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.attention.select import make_attention
from radixa.core.base import Message
from radixa.core.tokens import unpack
from radixa.kernels.select import make_ops
from radixa.models.base import ModelFolder
from radixa.models.catalog import PACKAGED
from radixa.models.chat_template import load_chat_template
from radixa.models.fetch import packaged_file
from radixa.models.load import load_decoder
from radixa.models.tokenizer import FolderTokenizer, load_tokenizer
from tests.models.checkpoints import Session, expected, load, read_by_transformers

TEXTS = [
    "",
    " ",
    "Hello, world!",
    "It's 10:45; they'd've said 3.14159, or 1,000,000?",
    "  two leading spaces\n\n\nthree newlines\t\ttabs  ",
    "def f(x):\n    return x ** 2  # squares\n",
    "naïve café, Straße, Ελληνικά, русский, 日本語, 한국어, عربى, हिन्दी",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 \u2019",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "<|endoftext|><repo_name>x<file_sep>",
    "\x00\x01\x7f\u2028\ufeff\r\n",
    "a" * 300,
    "https://example.com/a?b=c&d=%20#e",
]


@pytest.fixture(scope="session")
def tokenizer(smollm2: ModelFolder) -> FolderTokenizer:
    return load_tokenizer(smollm2.path)


@pytest.fixture(scope="session")
def reference_tokenizer() -> Any:
    """The tokenizer that `transformers` makes of the GGUF file."""
    import transformers

    gguf = packaged_file(PACKAGED["smollm2"])
    return transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_equal_those_of_transformers(text: str, tokenizer: FolderTokenizer, reference_tokenizer: Any) -> None:
    assert unpack(tokenizer.encode(text)) == reference_tokenizer(text).input_ids


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec="utf-8")))
def test_tokens_of_any_text(tokenizer: FolderTokenizer, reference_tokenizer: Any, text: str) -> None:
    """Up to numbers after blanks and outside ASCII: the reference leaves out that digits are cut off one by one first.

    The file says so (`tokenizer.ggml.pre` is `smollm`), and so does the tokenizer that the model was trained with.
    """
    ids = unpack(tokenizer.encode(text))
    assert tokenizer.decode(ids, skip_special=False) == reference_tokenizer.decode(ids)
    if not re.search(r"\s\s\d", text) and not any(c.isnumeric() and not c.isascii() for c in text):
        assert ids == reference_tokenizer(text).input_ids


def test_every_digit_is_a_token(tokenizer: FolderTokenizer) -> None:
    pieces = [tokenizer.token_bytes(i) for i in unpack(tokenizer.encode("a  12 345 \u0663"))]
    assert pieces[:8] == [b"a", b"  ", b"1", b"2", b" ", b"3", b"4", b"5"]
    assert pieces[8] == b" "


def test_the_chat_template(smollm2: ModelFolder, reference_tokenizer: Any) -> None:
    template = load_chat_template(smollm2.path)
    for messages in (
        [Message("user", "hi")],
        [Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "Yes?"), Message("user", "ok")],
    ):
        turns = [{"role": m.role, "content": m.content} for m in messages]
        wanted = reference_tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert template.render(messages) == wanted


def test_the_shape(smollm2: ModelFolder) -> None:
    config = smollm2.config
    assert (smollm2.name, config.family, config.tied_head, config.context_length) == ("smollm2", "llama", True, 8192)
    assert (config.layers, config.hidden_size, config.heads, config.kv_heads, config.vocab_size) == (
        30,
        576,
        9,
        3,
        49152,
    )
    assert config.eos_token_ids == (2,)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_capital_of_france(dtype: str, smollm2: ModelFolder, tokenizer: FolderTokenizer) -> None:
    text = load_chat_template(smollm2.path).render([Message("user", "What is the capital of France?")])
    """As it is served: with whatever is fastest on this machine."""
    attention = make_attention()
    decoder = load_decoder(smollm2, dtype, make_ops(), attention)
    session = Session(decoder, dtype=dtype, attention=attention)
    stream, answer, new = tokenizer.stream(), "", unpack(tokenizer.encode(text))
    for _ in range(20):
        token = int(session.step([new], rows=[len(new) - 1]).argmax())
        if token in smollm2.config.eos_token_ids:
            break
        answer += stream.add(token)
        new = [token]
    assert answer + stream.flush() == "The capital of France is Paris."


def test_logits_equal_transformers_on_the_converted_folder(smollm2: ModelFolder, tokenizer: FolderTokenizer) -> None:
    """To the last bit, from float32 weights that `transformers` reads out of the same safetensors file."""
    import transformers

    decoder = load(smollm2.path)
    model = transformers.AutoModelForCausalLM.from_pretrained(smollm2.path, variant="float32", dtype=torch.float32)
    prompt = unpack(tokenizer.encode("The quick brown fox jumps over the lazy dog. " * 3))
    assert torch.equal(Session(decoder).step([prompt]), expected(model, prompt))


@pytest.mark.slow
def test_logits_equal_transformers_on_the_gguf(smollm2: ModelFolder, tokenizer: FolderTokenizer) -> None:
    """To the last bit, from weights that `transformers` dequantises itself."""
    model = read_by_transformers(packaged_file(PACKAGED["smollm2"]))
    prompt = unpack(tokenizer.encode("The quick brown fox jumps over the lazy dog. " * 3))
    assert torch.equal(Session(load(smollm2.path)).step([prompt]), expected(model, prompt))
