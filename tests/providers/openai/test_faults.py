"""What a provider makes of an upstream that fails: nothing twice, nothing lost, and the truth said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from radixa.core.base import GenerateChunk
from radixa.core.config import ProviderConfig
from radixa.core.errors import InvalidRequest, RadixaError, RateLimited, UpstreamError, UpstreamRefused, UpstreamTimeout
from radixa.providers.openai.choices import ChoicesReader
from radixa.providers.openai.provider import OpenAIProvider
from radixa.providers.openai.reading import Answer
from radixa.providers.openai.responses import ResponsesReader
from radixa.providers.openai.usage import read_usage
from radixa.providers.upstream.refusals import Account
from radixa.providers.upstream.sse import ServerEvent
from tests.providers.asking import chunks_of, said, text_of
from tests.providers.openai.calls import KEY, LONG, chat, provider_on, raw, typed, usage
from tests.upstreams.base import Fault, until
from tests.upstreams.openai import OpenAIStandIn

ACME = Account("acme", KEY, "ACME_KEY")
STREAM = raw(chat("say 5", stream=True))
WHOLE = raw(chat("say 5"))
RESPONSE = raw({"input": "say 5", "stream": True}, "responses")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.providers.upstream.retry._FIRST_S", 0.001)


async def failing(fault: Fault, request: Any = STREAM, **config: Any) -> tuple[RadixaError, list[GenerateChunk]]:
    """The error that a fault comes to, and what came before it."""
    stand_in = OpenAIStandIn()
    stand_in.faults = [fault]
    got: list[GenerateChunk] = []
    async with provider_on(stand_in, **config) as provider:
        with pytest.raises(RadixaError) as caught:
            await chunks_of(provider, request, got)
    assert KEY not in caught.value.message
    return caught.value, got


# ---- errors in place of an answer


@pytest.mark.parametrize("request_", [STREAM, WHOLE, RESPONSE])
async def test_what_the_caller_got_wrong_goes_on_in_the_upstreams_words(request_: Any) -> None:
    error, _ = await failing(Fault("status", status=400), request_)
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.param, error.code) == (400, "temperature", None)
    assert error.message == "Invalid value for 'temperature': expected at most 2."
    assert error.kind == "invalid_request_error"


async def test_no_such_model() -> None:
    error, _ = await failing(Fault("status", status=404))
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.code) == (404, "model_not_found")


@pytest.mark.parametrize("status", [401, 403])
async def test_our_key_is_the_operators_business(status: int) -> None:
    error, _ = await failing(Fault("status", status=status), api_key_env="ACME_KEY")
    assert isinstance(error, UpstreamError)
    assert error.status == 502
    assert error.code == "upstream_key_refused"
    assert error.message.startswith(f"acme refuses this server's key (status {status})")
    assert "ACME_KEY" in error.message


async def test_a_key_of_another_is_refused_too_and_not_shown() -> None:
    stand_in = OpenAIStandIn(key="sk-another-key-0123456789")
    async with provider_on(stand_in) as provider:
        with pytest.raises(UpstreamError) as caught:
            await chunks_of(provider, STREAM)
    assert "sk-" not in caught.value.message


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-proj-ab*****************wxyz.",
        "header was Authorization: Bearer abc.def.ghi",
    ],
)
async def test_keys_in_an_upstreams_words_are_left_out(said: str) -> None:
    body = json.dumps({"error": {"message": said, "type": "invalid_request_error"}}).encode()
    error, _ = await failing(Fault("status", status=400, body=body))
    assert "…" in error.message
    for secret in (KEY, "sk-proj", "wxyz", "abc.def"):
        assert secret not in error.message


async def test_a_limit_of_the_upstream_is_passed_on_with_its_time() -> None:
    headers = {"retry-after-ms": "7100", "retry-after": "8"}
    error, _ = await failing(Fault("status", status=429, headers=headers), retries=2)
    assert isinstance(error, RateLimited)
    assert (error.status, error.kind, error.retry_ms) == (429, "requests", 7100)
    assert error.message.startswith("acme has reached a limit of its own: Rate limit reached")


async def test_a_limit_that_no_waiting_helps() -> None:
    body = b'{"error": {"message": "Request too large", "type": "tokens", "code": "rate_limit_exceeded"}}'
    error, _ = await failing(Fault("status", status=429, headers={"x-should-retry": "false"}, body=body), retries=2)
    assert isinstance(error, RateLimited)
    assert (error.kind, error.retry_ms) == ("tokens", None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}'),
        (429, b'{"error": {"message": "No credit", "code": "credit_balance_exhausted"}}'),
        (402, b'{"error": {"message": "Insufficient Balance"}}'),
    ],
)
async def test_no_credit_is_the_operators_business(status: int, body: bytes) -> None:
    error, _ = await failing(Fault("status", status=status, body=body), retries=2)
    assert isinstance(error, UpstreamError)
    assert (error.status, error.code, error.retryable) == (502, "upstream_quota", False)


@pytest.mark.parametrize(("status", "ours"), [(500, 502), (502, 502), (503, 503), (529, 503)])
async def test_what_failed_there_is_said_to_have(status: int, ours: int) -> None:
    error, _ = await failing(Fault("status", status=status))
    assert isinstance(error, UpstreamError)
    assert (error.status, error.retryable) == (ours, True)
    assert error.message.startswith(f"acme failed (status {status}): The server ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}', "too long"),
        (b'{"error": "model not loaded"}', "model not loaded"),
        (b'{"detail": "Not allowed"}', "Not allowed"),
        (b'{"error": {"code": 400, "message": "from OpenRouter", "metadata": {}}}', "from OpenRouter"),
        (b"<html>Bad request</html>", "acme refused the request (status 400)."),
        (b"", "acme refused the request (status 400)."),
        (b"[" * 5000, "acme refused the request (status 400)."),
        (b'{"error": {"message": 5}}', "acme refused the request (status 400)."),
    ],
)
async def test_errors_of_every_shape(body: bytes, said: str) -> None:
    error, _ = await failing(Fault("status", status=400, body=body or b" "))
    assert isinstance(error, UpstreamRefused)
    assert error.message == said


# ---- streams that fail


@pytest.mark.parametrize("request_", [STREAM, typed(said("say 5"))])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("cut_middle", after=3), "acme broke off its answer: the connection ended too early."),
        (Fault("end_early", after=3), "acme ended its answer before it was complete."),
        (Fault("malformed", after=3), "acme sent a piece of an answer that is not JSON."),
        (Fault("error_event", after=3), "acme broke off its answer: The server had an error while processing."),
        (Fault("stall_middle", after=3), "acme stopped answering: nothing came for 0.3 s."),
    ],
)
async def test_a_stream_that_breaks_off_ends_with_an_error_after_what_came(
    fault: Fault, message: str, request_: Any
) -> None:
    error, got = await failing(fault, request_, idle_timeout_s=0.3, retries=2)
    assert isinstance(error, UpstreamError)
    assert error.message == message
    assert not error.retryable
    assert text_of(got) == "one two"
    assert not any(chunk.usage for chunk in got)


@pytest.mark.parametrize(
    "fault", [Fault("end_early", after=2), Fault("cut_middle", after=2), Fault("error_event", after=2)]
)
async def test_a_response_that_breaks_off(fault: Fault) -> None:
    error, got = await failing(fault, RESPONSE, retries=2)
    assert isinstance(error, UpstreamError)
    assert not error.retryable
    assert len(got) == 2


@pytest.mark.parametrize(
    ("request_", "kind"), [(STREAM, "error_event"), (RESPONSE, "error_event"), (STREAM, "malformed")]
)
async def test_an_error_as_the_first_event_leaves_others_a_chance(request_: Any, kind: Any) -> None:
    error, got = await failing(Fault(kind, after=0), request_)
    assert isinstance(error, UpstreamError)
    assert error.retryable
    assert got == []


async def test_a_refusal_as_the_first_event_is_one() -> None:
    class Refusing(OpenAIStandIn):
        def error_event(self) -> bytes:
            return b'data: {"error": {"message": "too long", "type": "invalid_request_error", "param": "messages"}}\n\n'

    stand_in = Refusing()
    stand_in.faults = [Fault("error_event", after=0)]
    async with provider_on(stand_in) as provider:
        with pytest.raises(UpstreamRefused, match=r"^too long$") as caught:
            await chunks_of(provider, STREAM)
    assert (caught.value.status, caught.value.param) == (400, "messages")


@pytest.mark.parametrize("kind", ["end_early", "cut_middle"])
async def test_an_answer_that_has_all_but_its_usage_is_an_answer(kind: Any) -> None:
    """Seven events: a role, five words, and the end; the usage and `[DONE]` never come."""
    stand_in = OpenAIStandIn()
    stand_in.faults = [Fault(kind, after=7)]
    async with provider_on(stand_in) as provider:
        chunks = await chunks_of(provider, STREAM)
    assert text_of(chunks) == "one two three four five"
    assert usage(chunks).estimated


async def test_tries_until_it_is_well() -> None:
    stand_in = OpenAIStandIn()
    stand_in.faults = [Fault("cut"), Fault("status", status=503)]
    async with provider_on(stand_in, retries=2) as provider:
        assert text_of(await chunks_of(provider, STREAM)) == "one two three four five"
    assert len(stand_in.requests) == 3


@pytest.mark.parametrize(("kind", "message"), [("malformed", "not JSON"), ("cut_middle", "broke off its answer")])
async def test_a_whole_answer_that_is_none(kind: Any, message: str) -> None:
    error, got = await failing(Fault(kind), WHOLE)
    assert isinstance(error, UpstreamError)
    assert message in error.message
    assert got == []


async def test_an_error_with_status_200() -> None:
    class Wrong(OpenAIStandIn):
        async def answer(self, request: Any, fault: Any, **_: Any) -> Any:
            return await super().answer(request, fault, whole=b'{"error": {"code": 503, "message": "no provider"}}')

    async with provider_on(Wrong("openrouter")) as provider:
        with pytest.raises(UpstreamError, match=r"^acme failed \(status 503\): no provider$"):
            await chunks_of(provider, WHOLE)


async def test_an_event_in_a_shape_of_its_own_goes_on_as_it_is() -> None:
    class Odd(OpenAIStandIn):
        async def answer(self, request: Any, fault: Any, *, events: Any = None, **more: Any) -> Any:
            odd = b'data: {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "hm"}]}}]}\n\n'
            return await super().answer(request, fault, events=[odd, *events], **more)

    async with provider_on(Odd()) as provider:
        chunks = await chunks_of(provider, STREAM)
        assert b'"hm"' in chunks[0].raw
        assert text_of(chunks) == "one two three four five"
        with pytest.raises(UpstreamError, match="in another shape than expected"):
            await chunks_of(provider, typed(said("say 5")))


async def test_nobody_there() -> None:
    provider = OpenAIProvider(
        "acme", ProviderConfig(kind="vllm", base_url="http://127.0.0.1:1/v1", retries=0), None, "vllm"
    )
    with pytest.raises(UpstreamError, match="acme cannot be reached"):
        await chunks_of(provider, STREAM)
    await provider.close()


async def test_an_answer_that_does_not_begin() -> None:
    error, _ = await failing(Fault("stall"), first_byte_timeout_s=0.2)
    assert isinstance(error, UpstreamTimeout)
    assert error.status == 504


async def test_a_caller_that_leaves_ends_the_call_at_the_upstream() -> None:
    stand_in = OpenAIStandIn()
    stand_in.faults = [Fault("stall_middle", after=2)]
    async with provider_on(stand_in) as provider:
        chunks = provider.generate(STREAM)
        await anext(chunks)
        await chunks.aclose()  # type: ignore[attr-defined]
        await until(lambda: stand_in.left == 1)
        assert provider._replicas.running == [0]


# ---- replicas


async def test_another_replica_is_asked_where_one_fails_and_the_failed_one_is_left_out() -> None:
    bad, good = OpenAIStandIn("vllm"), OpenAIStandIn("vllm")
    bad.faults = [Fault("status", status=500, then="always")]
    async with bad.running() as first, good.running() as second:
        config = ProviderConfig(kind="vllm", base_url=(f"{first}/v1", f"{second}/v1"), retries=0)
        provider = OpenAIProvider("acme", config, None, "vllm")
        for _ in range(12):
            assert text_of(await chunks_of(provider, STREAM)) == "one two three four five"
        assert provider.ready
        # Its breaker has opened.
        assert len(bad.requests) == 5
        assert len(good.requests) == 12
        await provider.close()


async def test_nothing_is_asked_of_another_replica_once_something_was_delivered() -> None:
    bad, good = OpenAIStandIn("vllm"), OpenAIStandIn("vllm")
    bad.faults = [Fault("cut_middle", after=3)]
    async with bad.running() as first, good.running() as second:
        config = ProviderConfig(kind="vllm", base_url=(f"{first}/v1", f"{second}/v1"), retries=0)
        provider = OpenAIProvider("acme", config, None, "vllm")
        with pytest.raises(UpstreamError, match="broke off"):
            await chunks_of(provider, STREAM)
        assert (len(bad.requests), len(good.requests)) == (1, 0)
        await provider.close()


async def test_conversations_stay_at_their_replica() -> None:
    one, two = OpenAIStandIn("vllm"), OpenAIStandIn("vllm")
    async with one.running() as first, two.running() as second:
        config = ProviderConfig(kind="vllm", base_url=(f"{first}/v1", f"{second}/v1"), retries=0)
        provider = OpenAIProvider("acme", config, None, "vllm")
        for turn in range(1, 5):
            for name in ("a", "b"):
                messages = [{"role": "user", "content": f"{name} {LONG}"}] + [
                    {"role": "user", "content": f"{i} " + "x" * 300} for i in range(turn)
                ]
                await chunks_of(provider, raw({"messages": messages}))
        seen = [{asked.json["messages"][0]["content"][0] for asked in server.requests} for server in (one, two)]
        assert sorted(seen, key=min) == [{"a"}, {"b"}]
        await provider.close()


# ---- bytes that are no answer


@pytest.mark.parametrize(
    "data",
    [b'{"choices": [{"index": 0, "delta": {"content": "\xff"}}]}', b'{"choices": ' + b"[" * 5000, b'{"usage": "\xff"'],
)
@pytest.mark.parametrize("in_raw", [False, True])
def test_a_piece_that_is_no_text_is_the_upstreams_failure(data: bytes, in_raw: bool) -> None:
    reader = ChoicesReader(Answer(ACME, b"{}"), "chat", 1, raw=in_raw, show_usage=False)
    with pytest.raises(UpstreamError):
        reader.read(ServerEvent("", data))


@pytest.mark.parametrize("data", [b'{"type": "response.output_text.delta", "delta": "\xff"}', b'{"type": 5}'])
def test_an_event_that_is_no_text_is_the_upstreams_failure(data: bytes) -> None:
    with pytest.raises(UpstreamError):
        ResponsesReader(Answer(ACME, b"{}")).read(ServerEvent("", data))


def test_a_usage_that_is_no_text_is_none() -> None:
    assert read_usage(b'{"prompt_tokens": "\xff"}', "acme") is None


async def test_an_error_that_is_no_text_is_one_all_the_same() -> None:
    error, _ = await failing(Fault("status", status=500, body=b'{"error": {"message": "\xff"}}'))
    assert isinstance(error, UpstreamError)
    assert error.status == 502


async def test_marks_in_a_body_that_is_nested_too_deeply_are_the_callers_mistake() -> None:
    deep: Any = [{"type": "text", "text": "say 5", "cache_control": {"type": "ephemeral"}}]
    for _ in range(900):
        deep = [deep]
    async with provider_on(OpenAIStandIn("deepseek")) as provider:
        with pytest.raises(InvalidRequest, match="nested too deeply"):
            await chunks_of(provider, raw({"messages": deep}))
