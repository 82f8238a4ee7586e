"""What Gemini says when it does not answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from radixa.core.config import ProviderConfig
from radixa.core.errors import (
    ConfigError,
    ContextTooLong,
    RadixaError,
    RateLimited,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from radixa.providers.gemini.provider import GeminiProvider
from tests.providers.asking import chunks_of, text_of
from tests.providers.gemini.conftest import asked, config
from tests.upstreams.base import Fault
from tests.upstreams.gemini import KEY, GeminiStandIn

STREAMED = pytest.mark.parametrize("stream", [False, True])


def body(code: int, message: str, status: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": status, "details": details}}).encode()


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
TOKENS = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaMetric": "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count"}],
}
KEYLESS = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}


async def failure(gemini: GeminiProvider, upstream: GeminiStandIn, fault: Fault, stream: bool) -> RadixaError:
    upstream.faults = [fault]
    with pytest.raises(RadixaError) as error:
        await chunks_of(gemini, asked("Hello", stream=stream))
    return error.value


@STREAMED
@pytest.mark.parametrize(
    ("status", "sent", "kind", "ours", "says"),
    [
        (400, body(400, "Invalid value at 'x'", "INVALID_ARGUMENT"), UpstreamRefused, 400, "Invalid value at 'x'"),
        (404, body(404, "models/x is not found", "NOT_FOUND"), UpstreamRefused, 404, "is not found"),
        (401, body(401, "Who are you?", "UNAUTHENTICATED"), UpstreamError, 502, "refuses this server's key"),
        (403, body(403, "Not you.", "PERMISSION_DENIED"), UpstreamError, 502, "refuses this server's key"),
        (400, body(400, "API key not valid.", "INVALID_ARGUMENT", KEYLESS), UpstreamError, 502, "GEMINI_API_KEY"),
        (
            400,
            body(400, "The input token count (99) exceeds the maximum number of tokens allowed (9).", "X"),
            ContextTooLong,
            400,
            "exceeds the maximum",
        ),
        (503, body(503, "Overloaded.", "UNAVAILABLE"), UpstreamError, 503, "failed (status 503): Overloaded."),
        (500, b"<html>", UpstreamError, 502, "failed (status 500)."),
        (402, body(402, "Pay first.", "X"), UpstreamError, 502, "no credit left"),
        (504, body(504, "Too slow.", "DEADLINE_EXCEEDED"), UpstreamTimeout, 504, "timed out (status 504): Too slow."),
        (400, body(400, f"What is {KEY}?", "INVALID_ARGUMENT"), UpstreamRefused, 400, "What is …?"),
        (400, b'[{"error": {"code": 400, "message": "in a list"}}]', UpstreamRefused, 400, "in a list"),
    ],
)
async def test_refusals(
    gemini: GeminiProvider,
    upstream: GeminiStandIn,
    stream: bool,
    status: int,
    sent: bytes,
    kind: type[RadixaError],
    ours: int,
    says: str,
) -> None:
    error = await failure(gemini, upstream, Fault("status", status=status, body=sent), stream)
    assert type(error) is kind
    assert error.status == ours
    assert says in error.message
    assert KEY not in error.message


@STREAMED
@pytest.mark.parametrize(
    ("details", "headers", "kind", "retry_ms"),
    [
        ([RETRY], {}, "requests", 34_500),
        ([TOKENS, RETRY], {"Retry-After": "2"}, "tokens", 34_500),
        ([], {"Retry-After": "2"}, "requests", 2_000),
        ([], {}, "requests", 1_000),
    ],
)
async def test_it_has_had_enough(
    gemini: GeminiProvider,
    upstream: GeminiStandIn,
    stream: bool,
    details: list[dict[str, Any]],
    headers: dict[str, str],
    kind: str,
    retry_ms: int,
) -> None:
    sent = body(429, "Quota exceeded.", "RESOURCE_EXHAUSTED", *details)
    error = await failure(gemini, upstream, Fault("status", status=429, body=sent, headers=headers), stream)
    assert isinstance(error, RateLimited)
    assert (error.kind, error.retry_ms) == (kind, retry_ms)
    # A clean 429 at once, and no tries that nobody sees.
    assert len(upstream.requests) == 1


@STREAMED
async def test_an_error_in_place_of_an_answer_is_that_of_its_code(
    gemini: GeminiProvider, upstream: GeminiStandIn, stream: bool
) -> None:
    said = body(429, "Quota exceeded.", "RESOURCE_EXHAUSTED", RETRY)
    headers = {"Content-Type": "text/event-stream"} if stream else {}
    sent = b"data: %s\n\n" % said if stream else said
    error = await failure(gemini, upstream, Fault("status", status=200, body=sent, headers=headers), stream)
    assert isinstance(error, RateLimited)
    assert error.retry_ms == 34_500


@pytest.mark.parametrize("kind", ["cut", "wrong_type", "malformed"])
@STREAMED
async def test_no_answer(gemini: GeminiProvider, upstream: GeminiStandIn, kind: Any, stream: bool) -> None:
    assert isinstance(await failure(gemini, upstream, Fault(kind, after=0), stream), UpstreamError)


async def test_the_next_try_is_well() -> None:
    upstream = GeminiStandIn()
    upstream.faults = [Fault("status", status=503)]
    async with upstream.running() as url:
        gemini = GeminiProvider("gemini", config(url, retries=1), KEY)
        assert text_of(await chunks_of(gemini, asked("Hello", stream=True))) == "You said: Hello"
        await gemini.close()


async def test_silence() -> None:
    upstream = GeminiStandIn()
    upstream.faults = [Fault("stall"), Fault("stall_middle")]
    async with upstream.running() as url:
        gemini = GeminiProvider("gemini", config(url, first_byte_timeout_s=0.05, idle_timeout_s=0.05), KEY)
        with pytest.raises(UpstreamTimeout, match="did not begin"):
            await chunks_of(gemini, asked("Hello", stream=True))
        with pytest.raises(UpstreamTimeout, match="stopped answering"):
            await chunks_of(gemini, asked("Hello", stream=True))
        await gemini.close()


async def test_without_a_key(upstream: GeminiStandIn) -> None:
    async with upstream.running() as url:
        gemini = GeminiProvider("gemini", config(url), None)
        with pytest.raises(UpstreamError, match="GEMINI_API_KEY"):
            await chunks_of(gemini, asked("Hello"))
        assert "x-goog-api-key" not in upstream.requests[0].headers
        await gemini.close()


def test_replicas_of_gemini_are_none() -> None:
    with pytest.raises(ConfigError, match=r"providers\.g\.base_url: expected one address"):
        GeminiProvider("g", ProviderConfig("gemini", ("http://a", "http://b")), KEY)
