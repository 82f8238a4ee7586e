"""`/v1/cache/recent`: what hit and what missed when the last requests were answered; explanations with text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from radixa.core.base import Usage
from radixa.core.tokens import pack
from radixa.gateway import recent
from radixa.gateway.recent import Answered, Recent
from radixa.providers.local.prompt import Prompt
from tests.gateway.conftest import World

SECRET = "the secret plan"


def joined(answer: Any) -> str:
    return "".join(part["text"] for part in answer["parts"])


async def test_an_explanation_with_its_text(world: World) -> None:
    await world.client.chat("mine is 서울")
    body = {"messages": [{"role": "user", "content": "mine is 서초"}]}
    plain = (await world.client.post("/v1/cache/explain", body)).json
    assert "parts" not in plain
    found = (await world.client.post("/v1/cache/explain?include=text", body)).json
    assert joined(found) == "user: mine is 서초\nassistant: "
    device, computed = found["parts"]
    # A character of which one byte hits is shown where it ends.
    assert (device["state"], device["tokens"], device["text"]) == ("device", found["cached_tokens"], "user: mine is 서")
    assert (computed["state"], computed["tokens"]) == ("computed", found["prompt_tokens"] - found["cached_tokens"])
    assert {name: found[name] for name in plain} == plain
    wrong = await world.client.post("/v1/cache/explain?include=all", body)
    assert (wrong.status, wrong.error["param"]) == (400, "include")


async def test_the_last_requests_as_they_were_answered(world: World) -> None:
    await world.client.chat("mine", session_id="s")
    await world.client.chat("mint")
    answer = await world.client.get("/v1/cache/recent")
    newer, older = answer.json["data"]
    assert (older["text"], older["session_id"], older["cached_tokens"]) == ("mine\nassistant: ", "s", 0)
    assert (newer["text"], newer["session_id"], newer["cached_tokens"]) == ("mint\nassistant: ", None, 9)
    found = (await world.client.get(f"/v1/cache/recent/{newer['request_id']}")).json
    assert [(part["state"], part["text"]) for part in found["parts"]] == [
        ("device", "user: min"),
        ("computed", "t\nassistant: "),
    ]
    assert found["miss"]["yours"].startswith("t\n")
    # What the cache holds by now is another matter.
    await world.client.chat("mint")
    assert (await world.client.get(f"/v1/cache/recent/{newer['request_id']}")).json == found


async def test_a_warmed_prompt_is_among_them(world: World) -> None:
    await world.client.post("/v1/cache/warm", {"prompt": "rules"})
    (only,) = (await world.client.get("/v1/cache/recent")).json["data"]
    assert (only["api"], only["text"]) == ("warm", "rules")


async def test_nobody_reads_anothers_not_even_an_administrator(world: World) -> None:
    _, client = world.account_client("other")
    await client.chat(SECRET)
    (only,) = (await client.get("/v1/cache/recent")).json["data"]
    assert (await world.client.get("/v1/cache/recent")).json["data"] == []
    assert (await world.client.get(f"/v1/cache/recent/{only['request_id']}")).status == 404


async def test_what_may_not_be_kept_is_not(world: World) -> None:
    await world.client.chat(SECRET, cache_control="no-store")
    await world.client.chat(SECRET, prompt_cache=False)
    assert (await world.client.get("/v1/cache/recent")).json["data"] == []


async def test_dropping_anything_forgets_them(world: World) -> None:
    _, client = world.account_client("other")
    for body in (None, {"messages": [{"role": "user", "content": "no such prefix"}]}):
        await world.client.chat("mine")
        await client.chat("theirs")
        await client.call("DELETE", "/v1/cache", b"" if body is None else json.dumps(body).encode())
        assert (await client.get("/v1/cache/recent")).json["data"] == []
        assert len((await world.client.get("/v1/cache/recent")).json["data"]) == 1
        await client.chat("theirs")
        await world.client.delete("/v1/cache")
        assert (await client.get("/v1/cache/recent")).json["data"] == []
    await client.chat("theirs")
    node = (await client.get("/v1/cache/tree")).json["data"][0]["id"]
    await client.delete(f"/v1/cache/nodes/{node}")
    assert (await client.get("/v1/cache/recent")).json["data"] == []


def answered(number: int, tokens: int) -> Answered:
    return Answered(f"req_{number}", 0.0, "m", "chat", "", Prompt(pack([1] * tokens)), Usage())


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 3)
    monkeypatch.setattr(recent, "ACCOUNT_BYTES", 400)
    monkeypatch.setattr(recent, "ALL_BYTES", 600)
    kept = Recent()
    for number in range(5):
        kept.note("a", answered(number, 10))
    assert [one.request_id for one in kept.of("a")] == ["req_4", "req_3", "req_2"]
    kept.note("a", answered(5, 90))
    assert [one.request_id for one in kept.of("a")] == ["req_5", "req_4"]
    kept.note("a", answered(6, 101))
    assert [one.request_id for one in kept.of("a")] == ["req_5", "req_4"]
    kept.note("b", answered(7, 80))
    assert (kept.of("a"), len(kept.of("b"))) == ([], 1)
    kept.forget("b")
    kept.forget("nobody")
    assert kept.of("b") == []
    assert kept._bytes == 0
