"""Answers as chat completions write them, whole and piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from radixa.core.base import GenerateChunk, ToolCallDelta
from radixa.gateway.answering import Answering
from radixa.gateway.base import encode
from radixa.gateway.dialects.collect import Collected, collect
from radixa.gateway.dialects.passing import unnamed
from radixa.gateway.dialects.splice import spliced
from radixa.gateway.logprobs import ChatLogprobs, chat_logprobs
from radixa.gateway.usage import UsageBody

DONE = b"data: [DONE]\n\n"


class FunctionOut(msgspec.Struct, frozen=True, omit_defaults=True):
    arguments: str
    name: str | None = None


class ToolCallOut(msgspec.Struct, frozen=True):
    id: str
    function: FunctionOut
    type: Literal["function"] = "function"


class ToolCallPiece(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    function: FunctionOut
    id: str | None = None
    type: str | None = None


class ChatMessageOut(msgspec.Struct, frozen=True):
    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[ToolCallOut] | msgspec.UnsetType = msgspec.UNSET


class ChatChoice(msgspec.Struct, frozen=True):
    index: int
    message: ChatMessageOut
    logprobs: ChatLogprobs | None
    finish_reason: str | None


class ChatCompletion(msgspec.Struct, frozen=True):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageBody
    system_fingerprint: str | None


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallPiece] | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None


class ChatChunk(msgspec.Struct, frozen=True):
    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[ChunkChoice]
    usage: UsageBody | msgspec.UnsetType | None = msgspec.UNSET
    """Absent unless the stream ends with usage; then null until the chunk that has it."""


async def whole(answering: Answering, with_logprobs: bool) -> bytes:
    found = await collect(answering.chunks, answering.count)
    if found.raw:
        return spliced(found.raw, {"usage": answering.meter.body()})
    answer = ChatCompletion(
        id=_id(answering),
        object="chat.completion",
        created=answering.request.created,
        model=answering.offer.id,
        choices=[_choice(index, answer, with_logprobs) for index, answer in enumerate(found.answers)],
        usage=answering.meter.body(),
        system_fingerprint=answering.fingerprint,
    )
    return encode(answer)


def _choice(index: int, answer: Collected, with_logprobs: bool) -> ChatChoice:
    calls = [ToolCallOut(c.id, FunctionOut(c.arguments, c.name)) for _, c in sorted(answer.calls.items())]
    message = ChatMessageOut(
        role="assistant",
        content=answer.text if answer.text or not calls else None,
        reasoning_content=answer.reasoning or msgspec.UNSET,
        tool_calls=calls or msgspec.UNSET,
    )
    return ChatChoice(index, message, chat_logprobs(answer.logprobs) if with_logprobs else None, answer.finish_reason)


async def events(answering: Answering, with_usage_chunk: bool) -> AsyncIterator[bytes]:
    """The answer as OpenAI streams it: the role, pieces of text, why it ended, usage where wanted, `[DONE]`."""
    frame = _Frame(answering, with_usage_chunk)
    begun: set[int] = set()
    passed, last = False, b""
    async for chunk in answering.chunks:
        pending = b""
        if chunk.raw:
            passed = True
            if last:
                pending = unnamed(last)
            # What has the usage waits for ours, which is complete only when all else is.
            last = b"" if chunk.usage is None else chunk.raw
            if chunk.usage is None:
                pending += unnamed(chunk.raw)
        elif not passed:
            # The role goes out with the first text: one message to the server instead of two.
            if chunk.index not in begun:
                begun.add(chunk.index)
                pending = frame.event([ChunkChoice(chunk.index, Delta(role="assistant", content=""))])
            pending += b"".join(frame.event([choice]) for choice in _pieces(chunk))
        if pending:
            yield pending
    if last:
        yield unnamed(spliced(last, {"usage": answering.meter.body()})) + DONE
    elif with_usage_chunk:
        yield frame.event([], answering.meter.body()) + DONE
    else:
        yield DONE


def _pieces(chunk: GenerateChunk) -> list[ChunkChoice]:
    """A chunk's thoughts, text and calls, then its end; nothing while a character is incomplete."""
    found = []
    if chunk.reasoning:
        found.append(ChunkChoice(chunk.index, Delta(reasoning_content=chunk.reasoning)))
    if chunk.text or chunk.logprobs:
        found_logprobs = chat_logprobs(chunk.logprobs) if chunk.logprobs else None
        found.append(ChunkChoice(chunk.index, Delta(content=chunk.text), found_logprobs))
    if chunk.tool_calls:
        found.append(ChunkChoice(chunk.index, Delta(tool_calls=list(map(_piece, chunk.tool_calls)))))
    if chunk.finish_reason is not None:
        found.append(ChunkChoice(chunk.index, Delta(), None, chunk.finish_reason))
    return found


def _piece(delta: ToolCallDelta) -> ToolCallPiece:
    kind = "function" if delta.id else None
    return ToolCallPiece(delta.position, FunctionOut(delta.arguments, delta.name or None), delta.id or None, kind)


class _Frame:
    """What all chunks of one stream have in common."""

    def __init__(self, answering: Answering, with_usage_chunk: bool) -> None:
        self._id = _id(answering)
        self._created = answering.request.created
        self._model = answering.offer.id
        self._fingerprint = answering.fingerprint
        self._no_usage = None if with_usage_chunk else msgspec.UNSET

    def event(self, choices: list[ChunkChoice], usage: UsageBody | None = None) -> bytes:
        chunk = ChatChunk(
            self._id,
            "chat.completion.chunk",
            self._created,
            self._model,
            self._fingerprint,
            choices,
            self._no_usage if usage is None else usage,
        )
        return b"data: " + encode(chunk) + b"\n\n"


def _id(answering: Answering) -> str:
    return answering.request.id.replace("req_", "chatcmpl-")
