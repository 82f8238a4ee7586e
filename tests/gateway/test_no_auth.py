"""A server without keys is open to whoever is on this machine, and to no web page that is shown on it."""

from __future__ import annotations

import json

import pytest

from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Answer, Client

HERE = {"host": "127.0.0.1:8000"}
JSON = {"content-type": "application/json"}
CHAT = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def world(build: Build) -> World:
    return build(auth=False)


async def ask(world: World, path: str = "/v1/chat/completions", body: object = CHAT, **headers: str | None) -> Answer:
    """A POST as a client on this machine sends it, but for `headers`; None leaves one out."""
    raw = b"" if body is None else json.dumps(body).encode()
    sent = {"content-length": str(len(raw)), **HERE, **JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    kept = {name: value for name, value in sent.items() if value is not None}
    return await world.client.using(None).call("POST", path, raw, headers=kept)


async def test_everyone_is_one_account(world: World) -> None:
    assert (await ask(world)).status == 200
    assert (await ask(world, authorization="Bearer sk-whatever")).status == 200
    assert {request.namespace for request in world.engine.requests} == {world.account.id}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1", "127.0.0.2:1", "[::1]:8000"])
async def test_loopback_hosts(world: World, host: str) -> None:
    assert (await ask(world, host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "[::1]evil.example",
        "localhost:80:80",
        "192.168.0.7",
        "[::2]",
        "\xff" * 500,
        "",
        None,
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/nothing"])
async def test_any_other_host_is_refused(world: World, host: str | None, path: str) -> None:
    headers = {} if host is None else {"host": host}
    answer = await world.client.using(None).call("GET", path, headers=headers)
    assert answer.status == 403
    assert "Expected localhost, 127.0.0.1 or [::1]" in answer.error["message"]
    assert len(answer.error["message"]) < 400


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:3000", "http://localhost:8000", "null", "http://127.0.0.1"]
)
async def test_a_foreign_origin_is_refused(world: World, origin: str) -> None:
    answer = await ask(world, origin=origin)
    assert (answer.status, world.engine.requests) == (403, [])
    assert f"pages of other sites, such as '{origin}'" in answer.error["message"]


async def test_its_own_pages_may_ask(world: World) -> None:
    assert (await ask(world, origin="http://127.0.0.1:8000")).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", "", None]
)
async def test_a_body_must_say_that_it_is_json(world: World, kind: str | None) -> None:
    answer = await ask(world, content_type=kind)
    assert (answer.status, world.engine.requests) == (415, [])
    assert "Content-Type: application/json" in answer.error["message"]
    in_chunks = await ask(world, content_type=kind, content_length=None, transfer_encoding="chunked")
    assert in_chunks.status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/problem+json"])
async def test_ways_to_say_it(world: World, kind: str) -> None:
    assert (await ask(world, content_type=kind)).status == 200


async def test_no_body_needs_no_type(world: World) -> None:
    answer = await world.client.using(None).call("DELETE", "/v1/cache", headers=HERE)
    assert answer.status == 200


async def test_it_makes_no_keys(world: World) -> None:
    before = world.store.keys()
    for body in (None, {"admin": True}):
        answer = await ask(world, "/v1/keys", body)
        assert answer.status == 403
        assert "radixa keys create" in answer.error["message"]
    assert world.store.keys() == before


async def test_with_keys_none_of_this_is_asked(build: Build) -> None:
    client: Client = build().client
    sent = {"host": "llm.example", "origin": "https://chat.example", "content-length": "60"}
    answer = await client.call("POST", "/v1/chat/completions", json.dumps(CHAT).encode(), headers=sent)
    assert answer.status == 200
