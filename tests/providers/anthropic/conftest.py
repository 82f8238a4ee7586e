"""A provider over a stand-in for Anthropic, on a clock that the test moves, and requests to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
import pytest

from radixa.core.base import GenerateRequest, Source
from radixa.core.config import ProviderConfig
from radixa.providers.anthropic.breakpoints import Breakpoints
from radixa.providers.anthropic.provider import AnthropicProvider
from tests.providers import asking
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


asked = partial(asking.asked, model=MODEL)


def raw(body: dict[str, Any], *, headers: tuple[tuple[str, str], ...] = (), **changes: Any) -> GenerateRequest:
    """A request of `/v1/messages` as it came."""
    body = {"model": "claude", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]} | body
    source = Source("messages", msgspec.json.encode(body), headers)
    stream = bool(body.get("stream"))
    return asked(**({"conversation": None, "source": source, "stream": stream} | changes))


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
