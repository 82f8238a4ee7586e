"""Tokenizers made from a GGUF file's metadata: how words are cut, and SentencePiece's merging by score."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.errors import ModelError
from radixa.core.tokens import unpack
from radixa.models.convert import convert
from radixa.models.tokenizer import FolderTokenizer, load_tokenizer
from tests.models.gguf_files import random_weights, write_gguf

TEXT = st.text(st.sampled_from("hello wor123 4567'sSL!/\n\r\t é€日\u00a0hH")) | st.text(max_size=10)
PIECES = [
    "▁",
    "h",
    "e",
    "l",
    "o",
    "w",
    "s",
    "▁h",
    "he",
    "ll",
    "lo",
    "▁he",
    "hell",
    "llo",
    "hello",
    "▁hello",
    "▁w",
    "ow",
]
SCORES = {piece: -float(i) for i, piece in enumerate([*reversed(PIECES[7:]), *PIECES[:7]])}


def converted(folder: Path, **options: Any) -> Path:
    write_gguf(folder / "m.gguf", random_weights(), **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIXA_HOME", str(folder))
        return convert(folder / "m.gguf", "m")


@pytest.fixture(scope="module", params=["default", "llama-bpe", "qwen2", "tekken"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderTokenizer, Any]:
    """Our tokenizer and the one that `transformers` makes of the same file."""
    import transformers

    folder = tmp_path_factory.mktemp("pre")
    ours = load_tokenizer(converted(folder, pre=request.param))
    return ours, transformers.AutoTokenizer.from_pretrained(folder, gguf_file="m.gguf")


@settings(deadline=None)
@given(TEXT)
def test_words_are_cut_as_transformers_cuts_them(pair: tuple[FolderTokenizer, Any], text: str) -> None:
    ours, theirs = pair
    composed = ours.decode(unpack(ours.encode(text)), skip_special=False)
    # Qwen2's tokenizer composes Unicode first, which a GGUF cannot say and `transformers` leaves out.
    assert unpack(ours.encode(composed)) == theirs(composed).input_ids


def test_qwen_composes_unicode(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(converted(tmp_path, pre="qwen2"))
    assert tokenizer.encode("e\u0301") == tokenizer.encode("\u00e9")


@pytest.fixture(scope="module")
def sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> FolderTokenizer:
    return load_tokenizer(converted(tmp_path_factory.mktemp("spm"), pieces=SCORES))


def by_score(text: str) -> list[str]:
    """SentencePiece's rule, straight: merge the neighbours that make the best piece, until none do."""
    parts = list("▁" + text.replace(" ", "▁")) if text else []
    while True:
        joined = [(SCORES[a + b], -i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in SCORES]
        if not joined:
            return parts
        at = -max(joined)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@settings(deadline=None)
@given(st.text(st.sampled_from("hello wsé")))
def test_pieces_merge_by_score(sentencepiece: FolderTokenizer, text: str) -> None:
    ids = unpack(sentencepiece.encode(text))
    assert ids[0] == 1, "these models begin with <s>"
    spelled = [sentencepiece.token_bytes(token) for token in ids[1:]]
    wanted: list[bytes] = []
    for part in by_score(text):
        raw = part.replace("▁", " ").encode()
        wanted += [raw] if part in SCORES else [bytes([byte]) for byte in raw]
    assert spelled == wanted
    assert sentencepiece.decode(ids) == text


def test_no_blank_is_put_before_where_the_file_says_so(tmp_path: Path) -> None:
    options = {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_bos_token": False}
    tokenizer = load_tokenizer(converted(tmp_path, pieces=SCORES, values=options))
    ids = unpack(tokenizer.encode("hello"))
    assert [tokenizer.token_bytes(token) for token in ids] == [b"hello"]
    assert tokenizer.decode(unpack(tokenizer.encode(" hello"))) == " hello"


def test_a_first_token_where_the_file_says_so(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(converted(tmp_path, values={"tokenizer.ggml.add_bos_token": True}))
    assert unpack(tokenizer.encode("hello"))[0] == 1
    assert unpack(tokenizer.encode("<|im_start|>hello")) == unpack(tokenizer.encode("hello"))


def test_user_defined_tokens_are_text(tmp_path: Path) -> None:
    """`<think>` and the like are found whole, and shown."""
    tokenizer = load_tokenizer(converted(tmp_path))
    ids = unpack(tokenizer.encode("1<think>2<|im_end|>"))
    assert [tokenizer.token_bytes(token) for token in ids] == [b"1", b"<think>", b"2", b"<|im_end|>"]
    assert tokenizer.decode(ids) == "1<think>2"


def test_unused_tokens_are_left_out(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(converted(tmp_path))
    assert tokenizer.decode(unpack(tokenizer.encode("[PAD0]"))) == "[PAD0]"
    assert tokenizer.vocab_size < 320


def test_another_kind_of_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tokenizer is of kind 't5'; supported are 'gpt2' and 'llama'"):
        converted(tmp_path, values={"tokenizer.ggml.model": "t5"})
