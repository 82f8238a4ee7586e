"""A provider on a stand-in, and requests to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from radixa.core.base import CachePolicy, Dialect, GenerateChunk, GenerateRequest, SamplingParams, Source, Usage
from radixa.core.config import ProviderConfig
from radixa.core.conversation import Conversation, ConversationMessage
from radixa.providers.openai.provider import OpenAIProvider
from tests.upstreams.openai import OpenAIStandIn

KEY = "sk-test-0123456789abcdef"
LONG = "A long system prompt that many requests share. " * 200
KINDS = {"openrouter": "openai-compatible"}
"""Where the configuration's word for a stand-in's kind is another."""


@asynccontextmanager
async def provider_on(stand_in: OpenAIStandIn, name: str = "acme", **config: Any) -> AsyncIterator[OpenAIProvider]:
    kind: Any = KINDS.get(stand_in.kind, stand_in.kind)
    async with stand_in.running() as url:
        settings = ProviderConfig(kind=kind, base_url=f"{url}/v1", **{"retries": 0, **config})
        provider = OpenAIProvider(name, settings, KEY, kind)
        try:
            yield provider
        finally:
            await provider.close()


def raw(
    body: dict[str, Any],
    dialect: Dialect = "chat",
    *,
    model: str = "gpt-4.1",
    namespace: str = "account",
    cache: CachePolicy | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> GenerateRequest:
    """A body in the provider's own dialect."""
    return GenerateRequest(
        request_id="req_1",
        model=model,
        namespace=namespace,
        sampling=SamplingParams(),
        cache=cache or CachePolicy(),
        source=Source(dialect, json.dumps(body).encode(), headers),
        stream=bool(body.get("stream")),
        n=body.get("n", 1),
    )


def typed(
    *messages: ConversationMessage,
    prompt: str | None = None,
    model: str = "gpt-4.1",
    sampling: SamplingParams | None = None,
    namespace: str = "account",
    cache: CachePolicy | None = None,
    n: int = 1,
    token_ids: bytes | None = None,
    **more: Any,
) -> GenerateRequest:
    """A request that came in another dialect."""
    return GenerateRequest(
        request_id="req_1",
        model=model,
        namespace=namespace,
        sampling=sampling or SamplingParams(),
        cache=cache or CachePolicy(),
        conversation=Conversation(messages, **more) if messages else None,
        prompt=prompt,
        token_ids=token_ids,
        n=n,
    )


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "our-name", "messages": [{"role": "user", "content": text}], **more}


def usage(chunks: list[GenerateChunk]) -> Usage:
    """The one usage of an answer, which is on its last chunk."""
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].index == 0
    found = chunks[-1].usage
    assert found is not None
    assert found.prompt_tokens == found.cached_tokens + found.cache_write_tokens + found.plain_tokens
    return found
