"""OpenAI's embeddings body as a provider that has another form of its own reads it, and OpenAI's answer."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import Usage
from radixa.core.errors import InvalidRequest, unsupported


class Wanted(msgspec.Struct, frozen=True):
    """Texts to be embedded, and in which form. The gateway has checked the body's shape."""

    input: str | list[str]
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


_decode = msgspec.json.Decoder(Wanted).decode
_encode = msgspec.json.Encoder().encode


def wanted_of(body: bytes, who: str) -> Wanted:
    """InvalidRequest for token ids, which only the model that they belong to can read. `who`: embeds here."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        if "$.input" in str(error):
            raise unsupported(
                "input", f"{who} embeds texts, not token ids. Expected a string or an array of them."
            ) from None
        raise InvalidRequest(f"Invalid body: {error}.") from None


def answer_of(vectors: Sequence[list[float]], wanted: Wanted, model: str, usage: Usage) -> bytes:
    """OpenAI's answer, its vectors in the order of the inputs."""
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(vector, wanted.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    counts = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return _encode({"object": "list", "data": data, "model": model, "usage": counts})


def _vector(values: list[float], encoding: str | None) -> list[float] | str:
    """As numbers, or as base64 of little-endian float32, which OpenAI's SDK asks for."""
    if encoding != "base64":
        return values
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
