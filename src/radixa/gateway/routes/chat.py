"""`POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import GenerateChunk
from radixa.gateway.answering import Answering, begin, collect
from radixa.gateway.base import EventStream, Response, encode, served_by
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.errors import contradiction, unsupported
from radixa.gateway.generation import GenerationBody, Tokens, include_usage
from radixa.gateway.logprobs import ChatLogprobs, chat_logprobs
from radixa.gateway.messages import MAX_MESSAGES, ChatMessage, breakpoints, plain_messages
from radixa.gateway.presence import NULL, refuse
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway
from radixa.gateway.usage import UsageBody

DONE = b"data: [DONE]\n\n"


class ChatBody(GenerationBody, frozen=True, kw_only=True):
    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    modalities: list[str] | None = None
    audio: msgspec.Raw = NULL


class ChatMessageBody(msgspec.Struct, frozen=True):
    role: Literal["assistant"]
    content: str
    refusal: None = None


class ChatChoice(msgspec.Struct, frozen=True):
    index: int
    message: ChatMessageBody
    logprobs: ChatLogprobs | None
    finish_reason: str | None


class ChatCompletion(msgspec.Struct, frozen=True):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageBody
    system_fingerprint: str


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    role: str | None = None
    content: str | None = None


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
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: UsageBody | msgspec.UnsetType | None = msgspec.UNSET
    """Absent unless the stream ends with usage; then null until the chunk that has it."""


decode = BodyDecoder(ChatBody)


async def create(gateway: Gateway, request: Request) -> Response | EventStream:
    body = await decode.read(await request.body(gateway.config.server.max_body_bytes))
    answering = await begin(
        gateway,
        request,
        body,
        [plain_messages(body.messages)],
        max_tokens=max_tokens(body),
        logprobs=logprobs(body),
        marks=breakpoints(body.messages),
    )
    headers = served_by(answering.offer.served_by)
    if body.stream:
        events = request.owns(_events(answering, include_usage(body)))
        return EventStream(events, headers)
    return Response(encode(await _whole(answering, bool(body.logprobs))), headers=headers)


def max_tokens(body: ChatBody) -> int | None:
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise contradiction(
            "max_tokens", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        )
    return body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens


def logprobs(body: ChatBody) -> int | None:
    """Alternatives per token, None for no log-probabilities. Also the last of the checks that only chat needs."""
    why = "the embedded engine answers in text only."
    refuse(body.audio, "audio", "an object", why)
    if body.modalities is not None and body.modalities != ["text"]:
        raise unsupported("modalities", why)
    if body.top_logprobs is not None and not body.logprobs:
        raise contradiction("top_logprobs", "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
    return (body.top_logprobs or 0) if body.logprobs else None


async def _whole(answering: Answering, with_logprobs: bool) -> ChatCompletion:
    answers = await collect(answering)
    choices = [
        ChatChoice(
            index=index,
            message=ChatMessageBody("assistant", "".join(answer.text)),
            logprobs=chat_logprobs(answer.logprobs, answering.local.tokenizer) if with_logprobs else None,
            finish_reason=answer.finish_reason,
        )
        for index, answer in enumerate(answers)
    ]
    return ChatCompletion(
        id=_id(answering.request),
        object="chat.completion",
        created=answering.request.created,
        model=answering.offer.id,
        choices=choices,
        usage=answering.meter.body(),
        system_fingerprint=answering.fingerprint,
    )


async def _events(answering: Answering, with_usage: bool) -> AsyncIterator[bytes]:
    """The answer as OpenAI streams it: the role, pieces of text, why it ended, usage where wanted, `[DONE]`."""
    identity, request = _id(answering.request), answering.request
    no_usage = None if with_usage else msgspec.UNSET

    def event(choices: list[ChunkChoice], usage: UsageBody | msgspec.UnsetType | None = no_usage) -> bytes:
        chunk = ChatChunk(
            identity,
            "chat.completion.chunk",
            request.created,
            answering.offer.id,
            answering.fingerprint,
            choices,
            usage,
        )
        return b"data: " + encode(chunk) + b"\n\n"

    # The roles go out with the first text: one message to the server instead of two.
    pending = b"".join(event([ChunkChoice(i, Delta(role="assistant", content=""))]) for i in range(answering.count))
    async for chunk in answering.chunks:
        for choice in _choices(chunk, answering):
            pending += event([choice])
        if pending:
            yield pending
            pending = b""
    if with_usage:
        pending = event([], answering.meter.body())
    yield pending + DONE


def _choices(chunk: GenerateChunk, answering: Answering) -> list[ChunkChoice]:
    """A chunk's text, then its end; neither while a character is incomplete."""
    found = []
    if chunk.text or chunk.logprobs:
        found_logprobs = chat_logprobs(chunk.logprobs, answering.local.tokenizer) if chunk.logprobs else None
        found.append(ChunkChoice(chunk.index, Delta(content=chunk.text), found_logprobs))
    if chunk.finish_reason is not None:
        found.append(ChunkChoice(chunk.index, Delta(), None, chunk.finish_reason))
    return found


def _id(request: Request) -> str:
    return request.id.replace("req_", "chatcmpl-")
