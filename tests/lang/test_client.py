"""The client's helpers, over blocking and asynchronous SDK clients, at our server and at others."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

import radixa as rx
from radixa.lang.backends.endpoint import RuntimeEndpoint
from radixa.lang.client import retries
from tests.gateway.live import KEY, Live
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

HISTORY = [{"role": "system", "content": "You answer in one short sentence about rivers, and name the country first."}]


@pytest.fixture
def other() -> Iterator[tuple[OpenAIStandIn, openai.OpenAI]]:
    """A server of another make."""
    stand_in = OpenAIStandIn("openai")
    with stand_in.in_thread() as url, openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        yield stand_in, client


def test_a_conversation_and_what_it_saved(endpoint: RuntimeEndpoint) -> None:
    manager = rx.PrefixCacheManager()
    assert manager.get_cache_statistics() == {
        "cache_hits": 0, "cache_misses": 0, "hit_rate_percent": 0.0, "tokens_saved": 0, "estimated_savings_usd": 0.0,
    }  # fmt: skip
    first = manager.process_conversation_turn("s1", HISTORY, "Where is the Po?", max_tokens=8, temperature=0)
    assert set(first) == {"response", "latency_ms", "prompt_tokens", "output_tokens", "cached_tokens"}
    assert first["cached_tokens"] == 0
    history = [*HISTORY, {"role": "user", "content": "Where is the Po?"}]
    history.append({"role": "assistant", "content": first["response"]})
    second = manager.process_conversation_turn("s1", history, "And the Rhine?", max_tokens=8, temperature=0)
    assert second["cached_tokens"] >= first["prompt_tokens"]
    found = manager.get_cache_statistics()
    hits, prompt = second["cached_tokens"], first["prompt_tokens"] + second["prompt_tokens"]
    assert found["cache_hits"] == found["tokens_saved"] == hits
    assert found["cache_misses"] == prompt - hits
    assert found["hit_rate_percent"] == pytest.approx(100 * hits / prompt)
    prices = endpoint.http.get("/v1/models/deepseek-chat")["radixa"]["prices_usd_per_mtok"]
    assert prices["input"] > prices["cached_input"] > 0
    assert found["estimated_savings_usd"] == pytest.approx(hits * (prices["input"] - prices["cached_input"]) / 1e6)
    sessions = {node["session_id"] for node in endpoint.tree()}
    assert "s1" in sessions
    manager.close()


async def test_the_same_with_an_asynchronous_client(endpoint: RuntimeEndpoint, live: Live) -> None:
    async with openai.AsyncOpenAI(base_url=f"{live.url}/v1", api_key=KEY) as client:
        manager = rx.PrefixCacheManager(client, "smollm2")
        for _ in range(2):
            found = await manager.process_conversation_turn("s", HISTORY, "Where?", max_tokens=4)
        assert found["cached_tokens"] == found["prompt_tokens"] - 1
        assert manager.get_cache_statistics()["estimated_savings_usd"] == 0
        assert (await rx.list_supported_models(client))[0] == "smollm2"
        assert await rx.validate_model("gpt-4.1", client)
        with pytest.raises(ValueError, match=r"Did you mean 'gpt-4\.1'"):
            await rx.validate_model("gpt-41", client)
        answer = await rx.robust_completion([{"role": "user", "content": "Hi"}], "smollm2", client, max_tokens=2)
        assert answer.usage.completion_tokens == 2
        assert "limits" in await rx.check_rate_limit_status(client)


def test_what_a_server_does_not_say_is_not_reported(other: tuple[OpenAIStandIn, openai.OpenAI]) -> None:
    stand_in, client = other
    manager = rx.PrefixCacheManager(client, "gpt-4.1")
    told = manager.process_conversation_turn("s", [], "say 2")
    assert told["cached_tokens"] == 0
    assert manager.get_cache_statistics()["estimated_savings_usd"] == "not reported"
    assert "session_id" not in stand_in.requests[-1].json
    stand_in.faults.append(Fault("lie", usage=b'{"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}'))
    silent = rx.PrefixCacheManager(client, "gpt-4.1")
    assert silent.process_conversation_turn("s", [], "say 2")["cached_tokens"] == "not reported"
    assert set(silent.get_cache_statistics().values()) == {"not reported"}
    stand_in.faults.append(Fault("lie"))
    found = silent.process_conversation_turn("s", [], "say 2")
    assert found["prompt_tokens"] == found["output_tokens"] == "not reported"
    assert rx.check_rate_limit_status(client) == {"limits": "not reported"}


def test_models(endpoint: RuntimeEndpoint) -> None:
    offered = rx.list_supported_models()
    assert offered[0] == "smollm2"
    assert "deepseek-chat" in offered
    assert rx.validate_model("deepseek-chat") is True
    with pytest.raises(ValueError, match=r"'gpt-9' is not offered.*smollm2"):
        rx.validate_model("gpt-9")


def test_limits(endpoint: RuntimeEndpoint) -> None:
    limits = {limit["model"]: limit for limit in rx.check_rate_limit_status()["limits"]}
    assert limits["deepseek-chat"]["requests"]["limit"] > 0
    assert {"limit", "remaining", "reset_ms"} <= set(limits["deepseek-chat"]["tokens"])


def test_a_completion_that_is_asked_again(
    other: tuple[OpenAIStandIn, openai.OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in, client = other
    stand_in.faults += [
        Fault("status", status=429, headers={"retry-after-ms": "1"}),
        Fault("status", status=503, headers={"retry-after": "0"}),
        Fault("cut"),
    ]
    monkeypatch.setattr(retries, "LONGEST_WAIT_S", 0.01)
    found = rx.robust_completion([{"role": "user", "content": "say 2"}], "gpt-4.1", client, temperature=0)
    assert len(found.choices[0].message.content.split()) == 2
    assert len(stand_in.requests) == 4
    assert stand_in.requests[-1].json["temperature"] == 0


def test_what_no_other_attempt_changes_is_raised_at_once(other: tuple[OpenAIStandIn, openai.OpenAI]) -> None:
    stand_in, client = other
    quota = b'{"error": {"message": "no credit", "type": "insufficient_quota", "code": "insufficient_quota"}}'
    for fault, kind in (
        (Fault("status", status=400), openai.BadRequestError),
        (Fault("status", status=429, body=quota), openai.RateLimitError),
        (Fault("status", status=429, headers={"x-should-retry": "false"}), openai.RateLimitError),
    ):
        stand_in.faults.append(fault)
        before = len(stand_in.requests)
        with pytest.raises(kind):
            rx.robust_completion([{"role": "user", "content": "x"}], "gpt-4.1", client)
        assert len(stand_in.requests) == before + 1


def test_attempts_end(other: tuple[OpenAIStandIn, openai.OpenAI]) -> None:
    stand_in, client = other
    stand_in.faults.append(Fault("status", status=503, headers={"retry-after-ms": "1"}, then="always"))
    with pytest.raises(openai.InternalServerError):
        rx.robust_completion([{"role": "user", "content": "x"}], "gpt-4.1", client)
    assert len(stand_in.requests) == retries.ATTEMPTS
