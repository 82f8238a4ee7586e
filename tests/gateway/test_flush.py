"""`DELETE /v1/cache`: by namespace, by session, by prefix, or all that is not in use."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Answer, Client, FakeEngine


def messages(*turns: str) -> list[dict[str, str]]:
    roles = ("system", *["user", "assistant"] * 9)
    return [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]


async def chat(client: Client, *turns: str, **fields: Any) -> int:
    """Cached tokens of the request."""
    answer = await client.post("/v1/chat/completions", {"messages": messages(*turns)} | fields)
    assert answer.status == 200, answer.body
    return int(answer.json["usage"]["cached_tokens"])


async def peek(client: Client, *turns: str, **fields: Any) -> int:
    answer = await client.post("/v1/cache/explain", {"messages": messages(*turns)} | fields)
    return int(answer.json["cached_tokens"])


async def drop(client: Client, query: str = "", body: Any = None) -> Answer:
    return await client.call("DELETE", f"/v1/cache{query}", b"" if body is None else json.dumps(body).encode())


async def test_by_session(world: World) -> None:
    await chat(world.client, "Be brief.", "from a", session_id="a")
    await chat(world.client, "Be brief.", "from b", session_id="b")
    await chat(world.client, "Be brief.", "from c", prompt_cache_key="c")
    shared = len("system: Be brief.\nuser: from ")
    dropped = (await drop(world.client, "?session_id=b")).json["dropped_tokens"]
    assert dropped == len("b\nassistant: ")
    assert await peek(world.client, "Be brief.", "from b") == shared
    assert await peek(world.client, "Be brief.", "from a") > shared
    # A key that keeps requests together is a session's name.
    assert (await drop(world.client, "?session_id=c")).json["dropped_tokens"] == dropped
    assert (await drop(world.client, "?session_id=nobody")).json == {
        "object": "cache.flushed",
        "dropped_tokens": 0,
        "dropped_host_tokens": 0,
        "dropped_disk_tokens": 0,
    }


async def test_by_prefix(world: World) -> None:
    await chat(world.client, "Be brief.", "one")
    await chat(world.client, "Be brief.", "two")
    await chat(world.client, "Be kind.", "one")
    assert (await drop(world.client, "", {"messages": messages("Be brief.", "one")})).status == 200
    assert await peek(world.client, "Be brief.", "one") == len("system: Be brief.\nuser: ")
    assert await peek(world.client, "Be brief.", "two") > len("system: Be brief.\nuser: ")
    dropped = (await drop(world.client, "", {"messages": messages("Be brief.")})).json["dropped_tokens"]
    # All that begins with it, and of the path to it what nobody else goes on from.
    assert dropped == len("brief.\nuser: two\nassistant: ")
    assert await peek(world.client, "Be kind.", "one") > len("system: Be kind.\n")
    assert (await drop(world.client, "", {"prompt": "system: Be k"})).json["dropped_tokens"] > 0


async def test_a_prefix_is_dropped_in_the_callers_own_namespace_and_salt(world: World) -> None:
    _, other = world.account_client("other")
    for client, salt in [(world.client, {}), (world.client, {"cache_salt": "blue"}), (other, {})]:
        await chat(client, "Be brief.", "one", **salt)
    body = {"messages": messages("Be brief.")}
    assert (await drop(world.client, "", body | {"cache_salt": "green"})).json["dropped_tokens"] == 0
    assert (await drop(world.client, "", body | {"cache_salt": "blue"})).json["dropped_tokens"] > 0
    assert await peek(world.client, "Be brief.", "one") > 0
    assert (await drop(world.client, "", body)).json["dropped_tokens"] > 0
    assert await peek(world.client, "Be brief.", "one") == 0
    # An administrator's prefix is not everyone's.
    assert await peek(other, "Be brief.", "one") > 0


async def test_a_session_of_one_salt(world: World) -> None:
    await chat(world.client, "Be brief.", "one", session_id="s")
    await chat(world.client, "Be brief.", "one", session_id="s", cache_salt="blue")
    salted = next(name for name in world.engine.cache.namespaces() if "/" in name)
    assert (await drop(world.client, f"?namespace={salted}&session_id=s")).json["dropped_tokens"] > 0
    assert list(world.engine.cache.namespaces()) == [world.account.id]
    assert (await drop(world.client, "?session_id=s")).json["dropped_tokens"] > 0
    assert world.engine.cache.namespaces() == {}


@pytest.mark.parametrize(
    ("query", "body", "param"),
    [
        ("?sesion_id=a", None, "sesion_id"),
        ("?session_id=", None, "session_id"),
        ("?namespace=", None, "namespace"),
        ("?prefix=x", None, "prefix"),
        ("?session_id=a", {"messages": messages("x")}, "session_id"),
        ("?namespace=a", {"messages": messages("x")}, "namespace"),
        ("", {}, "messages"),
        ("", {"session_id": "a"}, "messages"),
        ("", {"messages": []}, "messages"),
        ("", {"prompt": ""}, "prompt"),
        ("", {"prompt": ["a", "b"]}, "prompt"),
    ],
)
async def test_what_does_not_narrow_as_meant_drops_nothing(world: World, query: str, body: Any, param: str) -> None:
    await chat(world.client, "Be brief.", "one", session_id="a")
    before = world.engine.cache.namespaces()
    answer = await drop(world.client, query, body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert world.engine.cache.namespaces() == before


async def test_a_body_that_is_no_json_drops_nothing(world: World) -> None:
    await chat(world.client, "Be brief.", "one")
    answer = await world.client.call("DELETE", "/v1/cache", b"system: Be brief.")
    assert answer.status == 400
    assert world.engine.cache.namespaces() != {}


async def test_a_body_of_white_space_drops_nothing(world: World) -> None:
    """It is a body that lost its prefix, not the wish to drop everything."""
    await chat(world.client, "Be brief.", "hello")
    answer = await world.client.call("DELETE", "/v1/cache", b"\n")
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert await peek(world.client, "Be brief.", "hello") > 0


async def test_while_requests_run(build: Build) -> None:
    gate = asyncio.Semaphore(3)
    world = build(FakeEngine(gate=gate))
    running = asyncio.create_task(world.client.chat("running"))
    async with asyncio.timeout(5):
        while not gate.locked():  # noqa: ASYNC110 - a semaphore tells nobody when it is used up
            await asyncio.sleep(0.001)
    assert (await drop(world.client)).status == 200
    for _ in range(10):
        gate.release()
    assert (await running).json["choices"][0]["message"]["content"] == "forty-two"


async def test_what_was_dropped_is_counted(world: World) -> None:
    await chat(world.client, "Be brief.", "one")
    dropped = (await drop(world.client)).json["dropped_tokens"]
    metrics = (await world.client.get("/metrics")).body.decode()
    assert f'radixa_engine_removed_tokens_total{{reason="flush"}} {dropped}.0' in metrics
    assert 'radixa_engine_removed_tokens_total{reason="capacity"} 0.0' in metrics


async def test_by_ones_own_salt(world: World) -> None:
    await chat(world.client, "Be brief.", "plain")
    await chat(world.client, "Be brief.", "salted", cache_salt="s")
    tree = (await world.client.get("/v1/cache/tree?cache_salt=s")).json["data"]
    assert "".join(node["text"] for node in tree).endswith("salted\nassistant: ")
    assert (await drop(world.client, "?cache_salt=other")).json["dropped_tokens"] == 0
    assert (await drop(world.client, "?cache_salt=s")).json["dropped_tokens"] > 0
    assert await peek(world.client, "Be brief.", "salted", cache_salt="s") == 0
    assert await peek(world.client, "Be brief.", "plain") > 0
    both = await drop(world.client, "?cache_salt=s&namespace=x")
    assert (both.status, both.error["param"]) == (400, "cache_salt")
