"""What Anthropic refuses, and what breaks on the way."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from radixa.core.base import GenerateChunk, GenerateRequest
from radixa.core.errors import (
    ConfigError,
    ContextTooLong,
    InvalidRequest,
    RadixaError,
    RateLimited,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from radixa.providers.anthropic.provider import AnthropicProvider
from radixa.providers.base import EmbedRequest
from tests.providers.anthropic.conftest import asked, config, raw
from tests.providers.asking import chunks_of, text_of
from tests.upstreams.anthropic import KEY, AnthropicStandIn
from tests.upstreams.base import Fault, until


def error(kind: str, message: str) -> bytes:
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


@pytest.mark.parametrize(
    ("status", "body", "kind", "ours"),
    [
        (401, error("authentication_error", f"invalid x-api-key {KEY}"), UpstreamError, 502),
        (403, error("permission_error", "not allowed"), UpstreamError, 502),
        (400, error("invalid_request_error", "Your credit balance is too low to access the API"), UpstreamError, 502),
        (400, error("invalid_request_error", "messages.0.content: Field required"), UpstreamRefused, 400),
        (
            400,
            error("invalid_request_error", "prompt is too long: 210000 tokens > 200000"),
            ContextTooLong,
            400,
        ),
        (404, error("not_found_error", "model: claude-1"), UpstreamRefused, 404),
        (413, error("request_too_large", "Request exceeds the maximum size"), UpstreamRefused, 413),
        (429, error("rate_limit_error", "too many input tokens per minute"), RateLimited, 429),
        (500, error("api_error", "Internal server error"), UpstreamError, 502),
        (504, error("timeout_error", "too slow"), UpstreamTimeout, 504),
        (529, error("overloaded_error", "Overloaded"), UpstreamError, 503),
        (502, b"<html>Bad gateway</html>", UpstreamError, 502),
    ],
)
@pytest.mark.parametrize("request_", [asked("Hello"), raw({}), raw({"stream": True})])
async def test_refusals(
    anthropic: AnthropicProvider,
    upstream: AnthropicStandIn,
    request_: GenerateRequest,
    status: int,
    body: bytes,
    kind: type[RadixaError],
    ours: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    upstream.faults = [Fault("status", status, {"retry-after": "7"}, body)]
    with pytest.raises(kind) as refused:
        await chunks_of(anthropic, request_)
    assert refused.value.status == ours
    assert KEY not in refused.value.message
    assert KEY not in caplog.text
    if isinstance(refused.value, RateLimited):
        assert (refused.value.kind, refused.value.retry_ms) == ("tokens", 7_000)
    if status == 529:
        assert isinstance(refused.value, UpstreamError)
        assert refused.value.retryable


async def test_a_field_that_anthropic_names_is_named(anthropic: AnthropicProvider) -> None:
    with pytest.raises(UpstreamRefused) as refused:
        await chunks_of(anthropic, raw({"nonsense": 1}))
    assert (refused.value.status, refused.value.param) == (400, "nonsense")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_overload_is_tried_again(upstream: AnthropicStandIn, stream: bool) -> None:
    async with upstream.running() as url:
        provider = AnthropicProvider("anthropic", config(url, retries=1), KEY)
        upstream.faults = [Fault("status", 529, {"retry-after-ms": "1"})]
        assert text_of(await chunks_of(provider, raw({"stream": stream}))) == "You said: Hello"
        await provider.close()
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("kind", ["cut_middle", "end_early", "malformed", "error_event"])
@pytest.mark.parametrize("request_", [asked("Hello"), raw({"stream": True})])
async def test_a_stream_that_breaks_off_is_an_error_after_what_came(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn, kind: Any, request_: GenerateRequest
) -> None:
    upstream.faults = [Fault(kind, after=5)]
    came: list[GenerateChunk] = []

    async def read() -> None:
        async for chunk in anthropic.generate(request_):
            came.append(chunk)  # noqa: PERF401 (what came before the error is looked at)

    with pytest.raises(UpstreamError) as broken:
        await read()
    assert text_of(came) == "You said: Hello"[: 8 * (5 - 3)]
    assert not broken.value.retryable
    usages = [chunk.usage for chunk in came if chunk.usage is not None]
    assert usages[-1].prompt_tokens == 2
    if kind == "error_event":
        assert broken.value.status == 503
        assert "overloaded_error" in broken.value.message


async def test_an_error_as_first_event_may_be_tried_elsewhere(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    upstream.faults = [Fault("error_event", after=0)]
    with pytest.raises(UpstreamError) as broken:
        await chunks_of(anthropic, raw({"stream": True}))
    assert broken.value.retryable
    assert broken.value.status == 503


async def test_silence_in_the_middle_is_a_timeout(upstream: AnthropicStandIn) -> None:
    async with upstream.running() as url:
        provider = AnthropicProvider("anthropic", config(url, idle_timeout_s=0.2), KEY)
        upstream.faults = [Fault("stall_middle", after=4)]
        with pytest.raises(UpstreamTimeout):
            await chunks_of(provider, raw({"stream": True}))
        await provider.close()


async def test_a_client_that_leaves_ends_the_call(anthropic: AnthropicProvider, upstream: AnthropicStandIn) -> None:
    upstream.gap_s = 0.02
    stream = anthropic.generate(raw({"stream": True}))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    await until(lambda: upstream.left == 1)


@pytest.mark.parametrize("whole", [b"[]", b'{"content": 1}', b"{"])
async def test_an_answer_that_is_none(anthropic: AnthropicProvider, upstream: AnthropicStandIn, whole: bytes) -> None:
    upstream.faults = [Fault("status", 200, body=whole)]
    with pytest.raises(UpstreamError, match="none of its answers"):
        await chunks_of(anthropic, raw({}))


async def test_a_count_that_is_none(anthropic: AnthropicProvider, upstream: AnthropicStandIn) -> None:
    upstream.faults = [Fault("malformed")]
    with pytest.raises(UpstreamError, match="did not say how many"):
        await anthropic.count_tokens(raw({}))


async def test_embeddings_are_refused(anthropic: AnthropicProvider) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await anthropic.embed(EmbedRequest("r", "claude-opus-5", b"{}"))
    assert refused.value.param == "model"


def test_there_is_one_anthropic() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        AnthropicProvider("anthropic", msgspec.structs.replace(config(""), base_url=("http://a", "http://b")), KEY)


async def test_requests_run_beside_each_other(anthropic: AnthropicProvider) -> None:
    answers = await asyncio.gather(*(chunks_of(anthropic, asked(f"number {i}")) for i in range(8)))
    assert [text_of(chunks) for chunks in answers] == [f"You said: number {i}" for i in range(8)]
