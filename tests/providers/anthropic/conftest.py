"""A provider over a stand-in for Anthropic, on a clock that the test moves, and requests to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from radixa.core.base import CachePolicy, GenerateChunk, GenerateRequest, SamplingParams, Source
from radixa.core.config import ProviderConfig
from radixa.core.conversation import Conversation, ConversationMessage, Text
from radixa.providers.anthropic.breakpoints import Breakpoints
from radixa.providers.anthropic.provider import AnthropicProvider
from tests.upstreams.anthropic import KEY, AnthropicStandIn

MODEL = "claude-opus-5"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def upstream(clock: Clock) -> AnthropicStandIn:
    return AnthropicStandIn(clock)


@pytest.fixture
async def anthropic(upstream: AnthropicStandIn, clock: Clock) -> AsyncIterator[AnthropicProvider]:
    async with upstream.running() as url:
        provider = AnthropicProvider("anthropic", config(url), KEY, Breakpoints(clock))
        yield provider
        await provider.close()


def config(url: str, **changes: Any) -> ProviderConfig:
    return ProviderConfig("anthropic", url, **({"retries": 0} | changes))


def said(text: str, role: Any = "user") -> ConversationMessage:
    return ConversationMessage(role, (Text(text),))


def asked(
    *messages: ConversationMessage | str, sampling: SamplingParams | None = None, **changes: Any
) -> GenerateRequest:
    """A request with these messages; fields of the conversation and of the request by name."""
    turns = tuple(said(message) if isinstance(message, str) else message for message in messages)
    ours = {name: changes.pop(name) for name in list(changes) if name in Conversation.__struct_fields__}
    request: dict[str, Any] = {
        "request_id": "r",
        "model": MODEL,
        "namespace": "a",
        "sampling": sampling or SamplingParams(),
        "cache": CachePolicy(),
        "conversation": Conversation(turns, **ours),
        "open_ended": sampling is None,
    }
    return GenerateRequest(**(request | changes))


def raw(body: dict[str, Any], *, headers: tuple[tuple[str, str], ...] = (), **changes: Any) -> GenerateRequest:
    """A request of `/v1/messages` as it came."""
    body = {"model": "claude", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]} | body
    source = Source("messages", msgspec.json.encode(body), headers)
    stream = bool(body.get("stream"))
    return asked(**({"conversation": None, "source": source, "stream": stream} | changes))


async def chunks_of(provider: AnthropicProvider, request: GenerateRequest) -> list[GenerateChunk]:
    return [chunk async for chunk in provider.generate(request)]


def text_of(chunks: list[GenerateChunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def marks_of(body: dict[str, Any]) -> list[str]:
    """Where the breakpoints of a body stand, and how long they are for."""
    found = []
    for section in ("tools", "system"):
        items = body.get(section) or ()
        for index, item in enumerate(() if isinstance(items, str) else items):
            if "cache_control" in item:
                found.append(f"{section}[{index}] {item['cache_control'].get('ttl', '5m')}")
    for index, message in enumerate(body["messages"]):
        for part, item in enumerate(() if isinstance(message["content"], str) else message["content"]):
            if "cache_control" in item:
                found.append(f"messages[{index}][{part}] {item['cache_control'].get('ttl', '5m')}")
    return found
