"""The body of `POST /v1/chat/completions`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.conversation import Conversation
from radixa.core.errors import unsupported
from radixa.gateway.constraints import ConstrainedBody, grammar
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.dialects.base import Asked, Understood, has_breakpoints
from radixa.gateway.dialects.chat.messages import MAX_MESSAGES, ChatMessage, breakpoints, conversation_messages
from radixa.gateway.dialects.chat.tools import FormatBody, NamedTool, ToolBody, response_format, tool_choice, tools
from radixa.gateway.errors import contradiction
from radixa.gateway.generation import Envelope, Tokens, sampling
from radixa.gateway.presence import absent, refuse


class ChatEnvelope(Envelope, frozen=True, kw_only=True):
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None


class ChatBody(ConstrainedBody, frozen=True, kw_only=True):
    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[ToolBody] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: FormatBody | None = None
    reasoning_effort: str | None = None
    modalities: list[str] | None = None
    audio: msgspec.Raw = msgspec.field(default_factory=absent)
    functions: msgspec.Raw = msgspec.field(default_factory=absent)


_envelope = BodyDecoder(ChatEnvelope)
_body = BodyDecoder(ChatBody)


async def read(raw: bytes) -> tuple[Asked, ChatEnvelope]:
    """What the gateway must know of a body. InvalidRequest names the field that cannot be."""
    envelope = await _envelope.read(raw)
    asked = Asked(
        dialect="chat",
        body=raw,
        model=envelope.model,
        stream=bool(envelope.stream),
        max_tokens=_max_tokens(envelope),
        wishes=envelope,
        understand=partial(understand, raw),
        n=envelope.n or 1,
        explicit=has_breakpoints(raw),
    )
    return asked, envelope


def understand(raw: bytes, vocab_size: int) -> Understood:
    body = _body(raw)
    conversation = Conversation(
        messages=conversation_messages(body.messages),
        tools=tools(body.tools or []),
        tool_choice=tool_choice(body.tool_choice),
        parallel_tool_calls=body.parallel_tool_calls,
        response_format=response_format(body.response_format),
        effort=body.reasoning_effort,
    )
    other = "" if conversation.response_format is None else "response_format"
    params = sampling(
        body,
        max_tokens=_max_tokens(body) or 0,
        logprobs=_logprobs(body),
        vocab_size=vocab_size,
        grammar=grammar(body, other=other),
    )
    return Understood([conversation], params, breakpoints(body.messages))


def _max_tokens(body: ChatEnvelope | ChatBody) -> int | None:
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise contradiction(
            "max_tokens", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        )
    return body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens


def _logprobs(body: ChatBody) -> int | None:
    """Alternatives per token, None for no log-probabilities. Also the last of the checks that only chat needs."""
    refuse(body.functions, "functions", "an array", "functions were replaced by tools. Expected 'tools'.")
    why = "this model is asked for text only."
    refuse(body.audio, "audio", "an object", why)
    if body.modalities is not None and body.modalities != ["text"]:
        raise unsupported("modalities", why)
    if body.top_logprobs is not None and not body.logprobs:
        raise contradiction("top_logprobs", "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.")
    return (body.top_logprobs or 0) if body.logprobs else None
