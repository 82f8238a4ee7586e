"""OpenAI's embeddings body as Gemini's batchEmbedContents, and what that used."""

from __future__ import annotations

from typing import Any

import msgspec

from radixa.core.base import Usage
from radixa.providers.embeddings import Wanted
from radixa.providers.gemini.usage import usage_of
from radixa.providers.gemini.wire import Embeddings
from radixa.providers.size import estimated_tokens, utf8_bytes

BATCH = 100
"""Texts that Gemini embeds in one call."""

_encode = msgspec.json.Encoder().encode


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


def used(found: list[Embeddings], wanted: Wanted) -> Usage:
    """What the calls used: estimated, about four bytes a token, where any of them did not say."""
    counted = [usage_of(batch.usage_metadata) for batch in found if batch.usage_metadata is not None]
    if len(counted) == len(found):
        return Usage(prompt_tokens=sum(each.prompt_tokens for each in counted))
    said = sum(estimated_tokens(utf8_bytes(text)) for text in wanted.texts)
    return Usage(prompt_tokens=said, estimated=True)
