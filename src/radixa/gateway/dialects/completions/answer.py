"""Answers as text completions write them, whole and piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from radixa.gateway.answering import Answering
from radixa.gateway.base import encode
from radixa.gateway.dialects.chat.answer import DONE
from radixa.gateway.dialects.collect import collect
from radixa.gateway.dialects.passing import unnamed
from radixa.gateway.dialects.splice import spliced
from radixa.gateway.logprobs import TextLogprobs, text_logprobs
from radixa.gateway.usage import UsageBody


class TextChoice(msgspec.Struct, frozen=True):
    text: str
    index: int
    logprobs: TextLogprobs | None
    finish_reason: str | None


class Completion(msgspec.Struct, frozen=True):
    """A whole answer, and in a stream each of its chunks."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    system_fingerprint: str | None
    usage: UsageBody | msgspec.UnsetType | None = msgspec.UNSET


async def whole(answering: Answering, logprobs: int | None) -> bytes:
    found = await collect(answering.chunks, answering.count)
    if found.raw:
        return spliced(found.raw, {"usage": answering.meter.body()})
    choices = [
        TextChoice(
            text=answer.text,
            index=index,
            logprobs=None if logprobs is None else text_logprobs(answer.logprobs, 0, logprobs),
            finish_reason=answer.finish_reason,
        )
        for index, answer in enumerate(found.answers)
    ]
    return encode(_completion(answering, choices, answering.meter.body()))


async def events(answering: Answering, logprobs: int | None, with_usage_chunk: bool) -> AsyncIterator[bytes]:
    """Pieces of text, the last of each answer with its reason; then usage where wanted, and `[DONE]`."""
    no_usage = None if with_usage_chunk else msgspec.UNSET
    offsets = [0] * answering.count
    passed, raw = False, b""
    async for chunk in answering.chunks:
        if chunk.raw:
            passed = True
            if raw:
                yield unnamed(raw)
            raw = b"" if chunk.usage is None else chunk.raw
            if chunk.usage is None:
                yield unnamed(chunk.raw)
            continue
        if passed or not (chunk.text or chunk.logprobs or chunk.finish_reason):
            continue
        found = None
        if logprobs is not None and chunk.logprobs:
            offset = offsets[chunk.index]
            found = text_logprobs(chunk.logprobs, offset, logprobs)
            offsets[chunk.index] += sum(map(len, found.tokens))
        choice = TextChoice(chunk.text, chunk.index, found, chunk.finish_reason)
        yield b"data: " + encode(_completion(answering, [choice], no_usage)) + b"\n\n"
    last = b""
    if raw:
        last = unnamed(spliced(raw, {"usage": answering.meter.body()}))
    elif with_usage_chunk:
        last = b"data: " + encode(_completion(answering, [], answering.meter.body())) + b"\n\n"
    yield last + DONE


def _completion(
    answering: Answering, choices: list[TextChoice], usage: UsageBody | msgspec.UnsetType | None
) -> Completion:
    return Completion(
        id=answering.request.id.replace("req_", "cmpl-"),
        object="text_completion",
        created=answering.request.created,
        model=answering.offer.id,
        choices=choices,
        system_fingerprint=answering.fingerprint,
        usage=usage,
    )
