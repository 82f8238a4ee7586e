"""A provider that answers from a script, a gateway that asks it, and that gateway on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest, ToolCallDelta, Usage
from radixa.core.errors import RadixaError
from radixa.gateway.address import take
from radixa.gateway.app import App
from radixa.gateway.http1 import HttpServer
from radixa.providers.base import Embedded, EmbedRequest, Provider
from tests.gateway.conftest import World

P = TypeVar("P", bound=Provider)

USAGE = Usage(
    prompt_tokens=100,
    cached_tokens=60,
    cache_write_tokens=30,
    completion_tokens=20,
    long_write_tokens=10,
    reasoning_tokens=5,
)
TOOLS = [
    GenerateChunk(0, reasoning="I should "),
    GenerateChunk(0, reasoning="look.", signature="c2lnbmVk"),
    GenerateChunk(0, text="Let me "),
    GenerateChunk(0, text="see."),
    GenerateChunk(0, tool_calls=(ToolCallDelta(0, "call_a", "weather", '{"city":'),)),
    GenerateChunk(0, tool_calls=(ToolCallDelta(0, arguments='"Bern"}'), ToolCallDelta(1, "call_b", "clock"))),
    GenerateChunk(0, finish_reason="tool_calls", usage=USAGE),
]
"""Thoughts, text, and two calls, the second without arguments."""


@dataclass
class Scripted:
    """Answers with `chunks`, then fails with `failure` where there is one, and remembers what it was asked."""

    chunks: Sequence[GenerateChunk] = ()
    dialects: frozenset[Dialect] = frozenset()
    failure: RadixaError | None = None
    name: str = "scripted"
    ready: bool = True
    requests: list[GenerateRequest] = field(default_factory=list)

    async def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        self.requests.append(request)
        for chunk in self.chunks:
            await asyncio.sleep(0)
            yield chunk
        if self.failure is not None:
            raise self.failure

    async def count_tokens(self, request: GenerateRequest) -> int:
        self.requests.append(request)
        return 123

    async def embed(self, request: EmbedRequest) -> Embedded:
        raise NotImplementedError

    async def close(self) -> None:
        pass

    @property
    def conversation(self) -> Any:
        """What it was asked last."""
        return self.requests[-1].conversation


def asks(monkeypatch: pytest.MonkeyPatch, world: World, provider: P) -> P:
    """From now on every model of the gateway is answered by `provider`."""
    monkeypatch.setattr(world.gateway, "provider", lambda offer: provider)
    return provider


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[str]:
    """The app behind the HTTP server that `radixa serve` has, in this process and loop; gives its address."""
    address = take("127.0.0.1", 0, auth=True)
    server = HttpServer(app, address.listener, app.gateway.config.server, connections=64)
    with address.listener:
        await server.start()
        try:
            yield address.url
        finally:
            await server.stop(1)
