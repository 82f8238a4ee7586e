"""Requests to a provider, and what it answers."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from radixa.core.base import CachePolicy, GenerateChunk, GenerateRequest, SamplingParams
from radixa.core.conversation import Conversation, ConversationMessage, Text
from radixa.providers.base import Provider


def said(text: str, role: Any = "user") -> ConversationMessage:
    return ConversationMessage(role, (Text(text),))


def asked(
    *messages: ConversationMessage | str, model: str, sampling: SamplingParams | None = None, **changes: Any
) -> GenerateRequest:
    """A request with these messages; fields of the conversation and of the request by name."""
    turns = tuple(said(message) if isinstance(message, str) else message for message in messages)
    ours = {name: changes.pop(name) for name in list(changes) if name in Conversation.__struct_fields__}
    request: dict[str, Any] = {
        "request_id": "r",
        "model": model,
        "namespace": "a",
        "sampling": sampling or SamplingParams(),
        "cache": CachePolicy(),
        "conversation": Conversation(turns, **ours),
        "open_ended": sampling is None,
    }
    return GenerateRequest(**(request | changes))


async def chunks_of(
    provider: Provider, request: GenerateRequest, into: list[GenerateChunk] | None = None
) -> list[GenerateChunk]:
    """All chunks of an answer; what came before it failed is `into` then."""
    got = [] if into is None else into
    async with aclosing(provider.generate(request)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            got.append(chunk)
    return got


def text_of(chunks: list[GenerateChunk], index: int = 0) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.index == index)
