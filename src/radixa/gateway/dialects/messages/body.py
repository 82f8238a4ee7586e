"""The bodies of `POST /v1/messages` and `/v1/messages/count_tokens`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import SamplingParams
from radixa.core.conversation import Conversation, ConversationMessage, ResponseFormat
from radixa.gateway.base import encode
from radixa.gateway.decode import BodyDecoder, decoded
from radixa.gateway.dialects.base import Asked, Understood, has_breakpoints
from radixa.gateway.dialects.messages import blocks
from radixa.gateway.dialects.messages.billing import normalised
from radixa.gateway.dialects.messages.blocks import Block, MessageBody
from radixa.gateway.dialects.messages.tools import ToolBody, ToolChoiceBody, marks, parallel, tool_choice, tools
from radixa.gateway.generation import StopText
from radixa.gateway.presence import absent, refuse
from radixa.gateway.request import Request
from radixa.gateway.wishes import CacheWishes

MAX_MESSAGES = 10_000
MAX_STOPS = 64

MaxTokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""0 computes and keeps the prompt, and generates nothing."""

_HEADERS = (b"anthropic-version", b"anthropic-beta")
"""Of the caller's headers, those that say how the body is to be read."""


class MessagesEnvelope(CacheWishes, frozen=True, kw_only=True):
    """What the gateway must know of a body, whoever answers it."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: MaxTokens


class CountEnvelope(CacheWishes, frozen=True, kw_only=True):
    """The same of a body that is only to be counted."""

    model: str | None = None


class ThinkingBody(msgspec.Struct, frozen=True):
    type: str
    budget_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class FormatBody(msgspec.Struct, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, msgspec.Raw]


class OutputConfig(msgspec.Struct, frozen=True):
    effort: str | None = None
    format: FormatBody | None = None


class MessagesBody(CountEnvelope, frozen=True, kw_only=True):
    """Fields nobody knows are ignored, and null is the same as absent."""

    messages: Annotated[list[MessageBody], Meta(min_length=1, max_length=MAX_MESSAGES)]
    system: str | list[Block] | None = None
    max_tokens: MaxTokens = 0
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stop_sequences: Annotated[list[StopText], Meta(max_length=MAX_STOPS)] | None = None
    tools: list[ToolBody] | None = None
    tool_choice: ToolChoiceBody | None = None
    thinking: ThinkingBody | None = None
    output_config: OutputConfig | None = None
    mcp_servers: msgspec.Raw = msgspec.field(default_factory=absent)


class CreateBody(MessagesBody, frozen=True, kw_only=True):
    """One that is to be answered."""

    stream: bool | None = None
    max_tokens: MaxTokens


_envelope = BodyDecoder(MessagesEnvelope)
_count = BodyDecoder(CountEnvelope)
_body = BodyDecoder(MessagesBody)
_create = BodyDecoder(CreateBody)


async def read(request: Request, raw: bytes, *, normalise: bool) -> Asked:
    """What the gateway must know of a body. InvalidRequest names the field that cannot be.

    `normalise`: make Claude Code's billing line the same in every request.
    """
    envelope = await _envelope.read(raw)
    if normalise:
        raw = await decoded(raw, partial(normalised, raw))
    whole = partial(understand, raw, decode=_create)
    return _asked(request, raw, envelope, whole, envelope.model, bool(envelope.stream), envelope.max_tokens)


async def read_count(request: Request, raw: bytes, *, normalise: bool) -> Asked:
    """The same of a body that is only to be counted."""
    envelope = await _count.read(raw)
    if normalise:
        raw = await decoded(raw, partial(normalised, raw))
    return _asked(request, raw, envelope, partial(understand, raw), envelope.model, False, 0)


def _asked(
    request: Request,
    raw: bytes,
    wishes: CacheWishes,
    whole: Callable[[int], Understood],
    model: str | None,
    stream: bool,
    max_tokens: int,
) -> Asked:
    found = ((name, request.header(name)) for name in _HEADERS)
    return Asked(
        dialect="messages",
        body=raw,
        model=model,
        stream=stream,
        max_tokens=max_tokens,
        wishes=wishes,
        understand=whole,
        explicit=has_breakpoints(raw),
        headers=tuple((name.decode(), value.decode("latin-1")) for name, value in found if value is not None),
    )


def understand(raw: bytes, vocab_size: int, decode: Callable[[bytes], MessagesBody] = _body) -> Understood:
    """The whole of a body. Nothing in it names tokens, so the vocabulary's size does not matter."""
    body = decode(raw)
    refuse(body.mcp_servers, "mcp_servers", "an array", "only Anthropic calls servers of tools by itself.")
    found = [
        *marks(body.tools or ()),
        *blocks.marks(body.system or "", "system"),
        *(mark for i, message in enumerate(body.messages) for mark in blocks.marks(message.content, _place(i))),
    ]
    params = SamplingParams(
        max_tokens=body.max_tokens,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=body.top_k or 0,
        stop=tuple(body.stop_sequences or ()),
    )
    return Understood([_conversation(body)], params, found)


def _conversation(body: MessagesBody) -> Conversation:
    messages = [blocks.message(message, f"messages[{i}]") for i, message in enumerate(body.messages)]
    if body.system:
        messages.insert(0, ConversationMessage("system", blocks.parts(body.system, "system")))
    output = body.output_config or OutputConfig()
    return Conversation(
        messages=tuple(messages),
        leading="system" if body.system else "",
        tools=tools(body.tools or ()),
        tool_choice=tool_choice(body.tool_choice),
        parallel_tool_calls=parallel(body.tool_choice),
        response_format=_format(output.format),
        effort=output.effort,
        thinking_tokens=_thinking(body.thinking),
    )


def _format(found: FormatBody | None) -> ResponseFormat | None:
    if found is None:
        return None
    schema = msgspec.Raw(encode(found.schema))
    return ResponseFormat("json_schema", schema=schema, place="output_config.format.schema")


def _thinking(found: ThinkingBody | None) -> int | None:
    if found is None:
        return None
    return 0 if found.type == "disabled" else found.budget_tokens


def _place(index: int) -> str:
    return f"messages[{index}].content"
