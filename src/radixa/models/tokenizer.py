"""Text to token ids and back, by the `tokenizers` library; streaming works on the bytes of the tokens."""

from __future__ import annotations

import codecs
import json
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radixa.core.errors import ModelError
from radixa.core.tokens import pack

if TYPE_CHECKING:
    import tokenizers


def load_tokenizer(folder: Path) -> FolderTokenizer:
    """The tokenizer of a prepared model. ModelError where there is none, or one that cannot be read."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{folder} has no tokenizer.json; save the tokenizer there in its fast form")
    return FolderTokenizer(path)


class FolderTokenizer:
    """`models.base.Tokenizer` over a `tokenizer.json`.

    Special tokens in a text: a chat template writes `<|im_end|>` and the like as text, so a rendered prompt is encoded
    with `special=True`, and so would be such a token inside a user's message: as with every server that renders a
    template to text, a message can close its own turn. `special=False` reads them as ordinary characters.
    """

    def __init__(self, path: Path) -> None:
        import tokenizers

        self._path = path
        try:
            self._text = path.read_text("utf-8")
            self._tokenizer = tokenizers.Tokenizer.from_str(self._text)
            self._decoder = _Decoder.read(json.loads(self._text).get("decoder"))
        except Exception as error:
            raise ModelError(f"cannot read the tokenizer {path}: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._added = self._tokenizer.get_added_tokens_decoder()
        self.vocab_size = max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        with_prefix = self._tokenizer.encode("a").ids
        without = self._tokenizer.encode("a", add_special_tokens=False).ids
        self._prefix: list[int] = with_prefix[: with_prefix.index(without[0])] if without else []
        self._bytes: list[bytes | None] = [None] * self.vocab_size

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """A second tokenizer that reads special tokens as text; made when first wanted."""
        import tokenizers

        plain = tokenizers.Tokenizer.from_str(self._text)
        plain.no_truncation()
        plain.no_padding()
        plain.encode_special_tokens = True
        return plain

    def encode(self, text: str, *, special: bool = True) -> bytes:
        """Token ids as packed bytes.

        A model whose tokenizer begins every text with a token (`<s>`, `<|begin_of_text|>`) gets it once: it is added
        unless the text already begins with it, as rendered chat templates do.
        """
        ids = (self._tokenizer if special else self._plain).encode(text, add_special_tokens=False).ids
        return pack(self._opening(ids) + ids)

    def locate(self, text: str, places: Sequence[int]) -> tuple[bytes, list[int]]:
        """Offsets cost about a fiftieth of what encoding does."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        ids, starts = found.ids, [start for start, _ in found.offsets]
        opening = self._opening(ids)
        return pack(opening + ids), [len(opening) + bisect_left(starts, place) for place in places]

    def _opening(self, ids: list[int]) -> list[int]:
        """What has to go before `ids`."""
        return self._prefix if ids[: len(self._prefix)] != self._prefix else []

    def decode(self, token_ids: Sequence[int], *, skip_special: bool = True) -> str:
        stream = ByteStream(self, skip_special=skip_special)
        return "".join([stream.add(token) for token in token_ids]) + stream.flush()

    def stream(self, *, skip_special: bool = True) -> ByteStream:
        return ByteStream(self, skip_special=skip_special)

    def is_special(self, token_id: int) -> bool:
        token = self._added.get(token_id)
        return token is not None and token.special

    def token_bytes(self, token_id: int) -> bytes:
        """The raw bytes of one token; empty for an id the vocabulary does not have."""
        if not 0 <= token_id < self.vocab_size:
            return b""
        known = self._bytes[token_id]
        if known is None:
            token = self._tokenizer.id_to_token(token_id)
            if token is None:
                known = b""
            elif token_id in self._added:
                known = token.encode()
            else:
                known = self._decoder.token_bytes(token)
            self._bytes[token_id] = known
        return known

    @property
    def strips_first_space(self) -> bool:
        return self._decoder.strips_first_space


class ByteStream:
    """`models.base.StreamDecoder`: collects the tokens' bytes and lets go of them character by character."""

    def __init__(self, tokenizer: FolderTokenizer, *, skip_special: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special = skip_special
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._strip = tokenizer.strips_first_space

    def add(self, token_id: int) -> str:
        if self._skip_special and self._tokenizer.is_special(token_id):
            return ""
        data = self._tokenizer.token_bytes(token_id)
        if self._strip and data:
            self._strip = False
            data = data.removeprefix(b" ")
        return self._utf8.decode(data)

    def flush(self) -> str:
        return self._utf8.decode(b"", final=True)


class _Decoder:
    """How this tokenizer's tokens spell bytes."""

    def __init__(self, *, byte_level: bool, strips_first_space: bool) -> None:
        self.byte_level = byte_level
        self.strips_first_space = strips_first_space

    @classmethod
    def read(cls, spec: dict[str, Any] | None) -> _Decoder:
        """From the `decoder` of a `tokenizer.json`. ModelError for a kind not known here."""
        steps = spec.get("decoders", [spec]) if spec else []
        kinds = [step["type"] for step in steps]
        if "ByteLevel" in kinds:
            return cls(byte_level=True, strips_first_space=False)
        if "Metaspace" in kinds:
            scheme = next(step for step in steps if step["type"] == "Metaspace").get("prepend_scheme", "always")
            return cls(byte_level=False, strips_first_space=scheme != "never")
        if "ByteFallback" in kinds:
            return cls(byte_level=False, strips_first_space="Strip" in kinds)
        raise ModelError(f"its decoder is {kinds or 'missing'}; expected ByteLevel, Metaspace or ByteFallback")

    def token_bytes(self, token: str) -> bytes:
        if self.byte_level:
            return bytes([_BYTE_OF[character] for character in token])
        if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            return bytes([int(token[3:5], 16)])
        return token.replace("▁", " ").encode()


def _byte_alphabet() -> dict[str, int]:
    """The character by which byte-level BPE writes each byte: printable ones as they are, then the others."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(rest)}


_BYTE_OF = _byte_alphabet()
