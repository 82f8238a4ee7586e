"""`POST /v1/cache/warm`: a prompt computed and kept before anybody asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from radixa.core.base import CachePolicy
from radixa.core.config import CacheConfig
from radixa.engine.base import EngineOutput, EngineRequest
from radixa.gateway.limits.base import bound_of
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import FakeEngine, text_of

SYSTEM = {"role": "system", "content": "You sort tickets."}
TEXT = "system: You sort tickets.\n"


async def warm(world: World, **fields: Any) -> dict[str, Any]:
    answer = await world.client.post("/v1/cache/warm", {"messages": [SYSTEM]} | fields)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json
    return body


async def test_what_is_warmed_is_found_by_what_begins_with_it(world: World) -> None:
    body = await warm(world)
    usage = body.pop("usage")
    assert body == {
        "object": "cache.warmed",
        "model": "fake-model",
        "prompt_tokens": len(TEXT),
        "cached_tokens": 0,
        "cache_write_tokens": len(TEXT),
    }
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (len(TEXT), 0, len(TEXT))
    assert usage["radixa"]["miss"]["reason"] == "never_seen"
    (asked,) = world.engine.requests
    # Without the words that open an answer, so that any next message goes on from it.
    assert text_of(asked) == TEXT
    assert asked.sampling.max_tokens == 0
    assert asked.spans == ((len(TEXT) - 1, "system"),)
    for question in ("one", "two"):
        answer = await world.client.post(
            "/v1/chat/completions", {"messages": [SYSTEM, {"role": "user", "content": question}]}
        )
        assert answer.json["usage"]["cached_tokens"] >= len(TEXT)
    again = await warm(world)
    assert (again["cached_tokens"], again["cache_write_tokens"]) == (len(TEXT) - 1, 0)


@pytest.mark.parametrize(
    ("wishes", "policy"),
    [
        ({}, CachePolicy(pin=True)),
        ({"pin": True}, CachePolicy(pin=True)),
        ({"pin": False}, CachePolicy()),
        ({"cache_ttl_seconds": 60}, CachePolicy(ttl=60)),
        ({"high_priority": True}, CachePolicy(priority=True)),
        ({"prompt_cache_retention": "24h"}, CachePolicy(ttl=86_400)),
        ({"cache_ttl_seconds": 60, "pin": True}, CachePolicy(ttl=60, pin=True)),
        ({"session_id": "s", "cache_control": "auto"}, CachePolicy(pin=True, session="s")),
    ],
)
@pytest.mark.parametrize("default", ["auto", "opt-in"])
async def test_it_is_pinned_unless_the_body_says_how_to_keep_it(
    build: Build, wishes: dict[str, Any], policy: CachePolicy, default: Any
) -> None:
    world = build(cache=CacheConfig(default=default))
    await warm(world, **wishes)
    assert world.engine.requests[0].cache == policy
    (node, *_) = (await world.client.get("/v1/cache/tree")).json["data"]
    assert (node["pin"], node["priority"]) == (policy.pin, policy.priority)
    assert (node["expiry"] is not None) == (policy.ttl is not None)


async def test_a_breakpoint_says_how_to_keep_it(world: World) -> None:
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    await warm(world, messages=[{"role": "user", "content": [part]}])
    assert world.engine.requests[0].cache == CachePolicy(ttl=3600)


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"cache_control": "no-store"}, "cache_control"),
        ({"cache_control": "no-cache"}, "cache_control"),
        ({"prompt_cache": False}, "prompt_cache"),
        ({"prefix_caching": False}, "prefix_caching"),
        ({"prompt_cache": False, "pin": True}, "pin"),
        ({"cache_ttl_seconds": 0}, "cache_ttl_seconds"),
        ({"messages": [{"role": "user", "content": "x" * 1000}]}, "messages"),
    ],
)
async def test_what_cannot_be_warmed(world: World, wishes: dict[str, Any], field: str) -> None:
    answer = await world.client.post("/v1/cache/warm", {"messages": [SYSTEM]} | wishes)
    assert (answer.status, answer.error["param"]) == (400, field)
    assert world.engine.requests == []


async def test_one_answers_worth_whatever_n_is(world: World) -> None:
    await warm(world, n=5, max_tokens=9)
    assert [request.sampling.max_tokens for request in world.engine.requests] == [0]


async def test_it_is_billed_and_counted_as_a_prompt(world: World) -> None:
    usage = (await warm(world, model="deepseek-chat"))["usage"]
    assert usage["radixa"]["cost_usd"] == pytest.approx(len(TEXT) * 0.42 / 1e6)
    counters = (await world.client.get("/v1/cache")).json["counters"]
    assert (counters["requests"], counters["prompt_tokens"], counters["completion_tokens"]) == (1, len(TEXT), 0)
    metrics = (await world.client.get("/metrics")).body.decode()
    assert f'radixa_prompt_tokens_total{{model="deepseek-chat"}} {len(TEXT)}.0' in metrics
    # No token came, so there is no time to the first.
    assert "radixa_time_to_first_token_seconds_count{" not in metrics


async def test_text_is_warmed_too(world: World) -> None:
    answer = await world.client.post("/v1/cache/warm", {"prompt": "once upon"})
    assert answer.json["cache_write_tokens"] == 9


async def test_it_is_the_salts_alone(world: World) -> None:
    await warm(world, cache_salt="blue")
    assert (await warm(world))["cached_tokens"] == 0
    assert (await warm(world, cache_salt="blue"))["cached_tokens"] == len(TEXT) - 1


async def test_an_engine_that_fails_is_an_error(build: Build) -> None:
    from radixa.core.errors import EngineUnavailable

    class Dying(FakeEngine):
        def _computed(self, *args: object) -> Any:
            raise EngineUnavailable("the engine died")

    answer = await build(Dying()).client.post("/v1/cache/warm", {"messages": [SYSTEM]})
    assert answer.status == 503


async def test_a_client_that_leaves_while_it_warms_has_asked(build: Build) -> None:
    class Stuck(FakeEngine):
        async def generate(self, request: EngineRequest) -> AsyncIterator[EngineOutput]:
            self.requests.append(request)
            try:
                await asyncio.Event().wait()
                yield EngineOutput(request.request_id)
            finally:
                self.ended.append(request.request_id)

    world = build(Stuck())
    leave, body = asyncio.Event(), json.dumps({"messages": [SYSTEM]}).encode()
    asking = asyncio.create_task(world.client.call("POST", "/v1/cache/warm", body, leave=leave))
    async with asyncio.timeout(20):
        while not world.engine.requests:  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)
    leave.set()
    await asking
    _, [account] = await world.gateway.limiter.look([bound_of(world.account.id)])
    assert (account.requests.total, account.running) == (1, {})
