"""OpenAI's embeddings body as Gemini's batchEmbedContents, and the answer back."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import Usage
from radixa.core.errors import InvalidRequest, unsupported
from radixa.providers.gemini.usage import usage_of
from radixa.providers.gemini.wire import Embeddings
from radixa.providers.size import estimated_tokens, utf8_bytes

BATCH = 100
"""Texts that Gemini embeds in one call."""


class Wanted(msgspec.Struct, frozen=True):
    """What of OpenAI's body Gemini can do. The gateway has checked its shape."""

    input: str | list[str]
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


_decode = msgspec.json.Decoder(Wanted).decode
_encode = msgspec.json.Encoder().encode


def wanted_of(body: bytes) -> Wanted:
    """InvalidRequest for token ids, which only the model that they belong to can read."""
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        if "$.input" in str(error):
            raise unsupported(
                "input", "Gemini embeds texts, not token ids. Expected a string or an array of them."
            ) from None
        raise InvalidRequest(f"Invalid body: {error}.") from None


def batches(wanted: Wanted, model: str) -> list[bytes]:
    """The bodies of the calls that it takes, in order. `model` with its `models/`."""
    texts = wanted.texts
    return [
        _encode({"requests": [_one(text, wanted, model) for text in texts[start : start + BATCH]]})
        for start in range(0, len(texts), BATCH)
    ]


def _one(text: str, wanted: Wanted, model: str) -> dict[str, Any]:
    made: dict[str, Any] = {"model": model, "content": {"parts": [{"text": text}]}}
    if wanted.dimensions is not None:
        made["outputDimensionality"] = wanted.dimensions
    return made


def answer_of(found: list[Embeddings], wanted: Wanted, model: str) -> tuple[bytes, Usage]:
    """OpenAI's answer, and what it used: estimated, about four bytes a token, where any call did not say."""
    vectors = [embedding.values for batch in found for embedding in batch.embeddings]
    counted = [usage_of(batch.usage_metadata) for batch in found if batch.usage_metadata is not None]
    if len(counted) == len(found):
        usage = Usage(prompt_tokens=sum(each.prompt_tokens for each in counted))
    else:
        said = sum(estimated_tokens(utf8_bytes(text)) for text in wanted.texts)
        usage = Usage(prompt_tokens=said, estimated=True)
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(vector, wanted.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    counts = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return _encode({"object": "list", "data": data, "model": model, "usage": counts}), usage


def _vector(values: list[float], encoding: str | None) -> list[float] | str:
    """As numbers, or as base64 of little-endian float32, which OpenAI's SDK asks for."""
    if encoding != "base64":
        return values
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
