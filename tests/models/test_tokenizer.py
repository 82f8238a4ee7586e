"""Text to tokens and back: byte-level and SentencePiece tokenizers, whole and streamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.errors import ModelError
from radixa.core.tokens import unpack
from radixa.models.tokenizer import FolderTokenizer, load_tokenizer

TEXTS = [
    "",
    "hello world",
    "  two  spaces ",
    "naïve café",
    "日本語 text",
    "\U0001f600\U0001f469\u200d\U0001f467",
    "a\n\n\tb",
    "x<|end|>y",
    "\x00\x7f",
]


def byte_level(folder: Path, *, bos: bool = False) -> FolderTokenizer:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<|end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 20, trainer)
    tokenizer.add_tokens(["<tool>"])
    if bos:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    return load_tokenizer(folder)


def sentencepiece(folder: Path) -> FolderTokenizer:
    """Llama 2's kind: pieces with a lower bar for spaces, single bytes for what no piece spells."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", "h", "e", "l", "o", "he", "ll", "hell", "hello", "▁hello", "▁w", "w"]
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("▁", "hello"), ("▁", "w")]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    model = tokenizers.models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = tokenizers.decoders.Sequence(
        [
            tokenizers.decoders.Replace("▁", " "),
            tokenizers.decoders.ByteFallback(),
            tokenizers.decoders.Fuse(),
            tokenizers.decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return load_tokenizer(folder)


@pytest.fixture(scope="module", params=[byte_level, sentencepiece])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FolderTokenizer:
    tokenizer: FolderTokenizer = request.param(tmp_path_factory.mktemp("tokenizer"))
    return tokenizer


def library(tokenizer: FolderTokenizer) -> tokenizers.Tokenizer:
    return tokenizer._tokenizer


@settings(deadline=None)
@given(st.text() | st.sampled_from(TEXTS))
def test_encodes_as_the_library_does(made: FolderTokenizer, text: str) -> None:
    assert unpack(made.encode(text)) == library(made).encode(text).ids


@settings(deadline=None)
@given(st.lists(st.sampled_from([*TEXTS, "h", "hello"]), max_size=5))
def test_places_do_not_change_the_tokens(made: FolderTokenizer, parts: list[str]) -> None:
    """The same tokens, and before the end of each part as many as begin before it: never fewer, all at the end."""
    text = "".join(parts)
    places = [len("".join(parts[:end])) for end in range(len(parts) + 1)]
    ids, tokens = made.locate(text, places)
    assert ids == made.encode(text)
    assert tokens == sorted(tokens)
    assert (tokens[0], tokens[-1]) == (0, len(unpack(ids)))


@settings(deadline=None)
@given(st.lists(st.integers(0, 270), max_size=40))
def test_decodes_any_tokens_as_the_library_does(made: FolderTokenizer, ids: list[int]) -> None:
    """Also those that make no valid UTF-8 in their order.

    With single bytes (SentencePiece) the library replaces a whole run of bytes for one that is wrong; a stream, which
    has let go of the good ones before, cannot.
    """
    ids = [i for i in ids if i < made.vocab_size]
    expected = library(made).decode(ids)
    assert made.decode(ids) == expected or ("\ufffd" in expected and library(made).token_to_id("<0x00>"))


@settings(deadline=None)
@given(st.text())
def test_what_was_encoded_comes_back(made: FolderTokenizer, text: str) -> None:
    text = text.replace("<", "")
    assert made.decode(unpack(made.encode(text))) == text


@settings(deadline=None)
@given(st.lists(st.integers(0, 270), max_size=40))
def test_a_stream_gives_the_same_text(made: FolderTokenizer, ids: list[int]) -> None:
    stream = made.stream()
    assert "".join([stream.add(i) for i in ids]) + stream.flush() == made.decode(ids)


def test_a_stream_never_emits_half_a_character(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    byte_ids = [library(tokenizer).token_to_id(piece) for piece in "ðŁĺĢ"]
    stream = tokenizer.stream()
    assert [stream.add(i) for i in byte_ids] == ["", "", "", "\U0001f600"]
    assert [stream.add(i) for i in byte_ids[:2]] == ["", ""]
    assert stream.flush() == "\ufffd"


def test_special_tokens_are_read_or_not(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    assert unpack(tokenizer.encode("<|end|>")) == [1]
    as_text = unpack(tokenizer.encode("<|end|>", special=False))
    assert 1 not in as_text
    assert tokenizer.decode(as_text) == "<|end|>"
    assert unpack(tokenizer.encode("<|end|>")) == [1]


def test_special_tokens_are_skipped_and_added_ones_are_text(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    ids = unpack(tokenizer.encode("<s>a<tool>b<|end|>"))
    assert tokenizer.decode(ids) == "a<tool>b"
    assert tokenizer.decode(ids, skip_special=False) == "<s>a<tool>b<|end|>"
    assert (tokenizer.is_special(1), tokenizer.is_special(ids[2])) == (True, False)


def test_the_first_token_is_added_once(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path, bos=True)
    plain = byte_level(tmp_path, bos=False)
    hello = unpack(plain.encode("hello"))
    assert unpack(tokenizer.encode("hello")) == [0, *hello]
    assert unpack(tokenizer.encode("<s>hello")) == [0, *hello]
    assert unpack(tokenizer.encode("")) == [0]
    assert unpack(plain.encode("")) == []


def test_bytes_of_tokens(made: FolderTokenizer, tmp_path: Path) -> None:
    ids = unpack(made.encode("hello café"))
    assert b"".join(made.token_bytes(i) for i in ids).strip() == "hello café".encode()
    assert made.token_bytes(made.vocab_size) == made.token_bytes(-1) == b""
    assert byte_level(tmp_path).token_bytes(1) == b"<|end|>"


def test_truncation_and_padding_of_the_file_are_ignored(tmp_path: Path) -> None:
    byte_level(tmp_path)
    path = tmp_path / "tokenizer.json"
    saved = tokenizers.Tokenizer.from_file(str(path))
    saved.enable_truncation(2)
    saved.enable_padding(length=50)
    saved.save(str(path))
    tokenizer = load_tokenizer(tmp_path)
    for special in (True, False):
        assert tokenizer.decode(unpack(tokenizer.encode("hello world", special=special))) == "hello world"
        assert len(tokenizer.encode("a", special=special)) == 4


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("change", [{"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}, {"model": {}}])
def test_a_tokenizer_that_cannot_be_read(change: dict[str, Any], tmp_path: Path) -> None:
    byte_level(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=r"cannot read the tokenizer .*tokenizer\.json"):
        load_tokenizer(tmp_path)
