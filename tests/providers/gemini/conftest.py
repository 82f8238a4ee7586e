"""A provider over a stand-in for Gemini, and requests to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from radixa.core.base import CachePolicy, GenerateChunk, GenerateRequest, SamplingParams
from radixa.core.config import ProviderConfig
from radixa.core.conversation import Conversation, ConversationMessage, Text
from radixa.providers.gemini.provider import GeminiProvider
from tests.upstreams.gemini import KEY, GeminiStandIn

MODEL = "gemini-2.5-flash"


@pytest.fixture
def upstream() -> GeminiStandIn:
    return GeminiStandIn()


@pytest.fixture
async def gemini(upstream: GeminiStandIn) -> AsyncIterator[GeminiProvider]:
    async with upstream.running() as url:
        provider = GeminiProvider("gemini", config(url), KEY)
        yield provider
        await provider.close()


def config(url: str, **changes: Any) -> ProviderConfig:
    return ProviderConfig("gemini", f"{url}/v1beta", **({"retries": 0} | changes))


def said(text: str, role: Any = "user") -> ConversationMessage:
    return ConversationMessage(role, (Text(text),))


def asked(
    *messages: ConversationMessage | str, model: str = MODEL, sampling: SamplingParams | None = None, **changes: Any
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


async def chunks_of(provider: GeminiProvider, request: GenerateRequest) -> list[GenerateChunk]:
    return [chunk async for chunk in provider.generate(request)]


def text_of(chunks: list[GenerateChunk], index: int = 0) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.index == index)
