"""`/v1/cache`: everyone's counts for administrators, otherwise one's own namespace; nobody's text but one's own."""

from __future__ import annotations

from typing import Any

import pytest

from radixa.engine.base import EngineStats
from radixa.kv.tiers.base import TierStats
from tests.gateway.conftest import Build, World

SECRET = "the secret plan"


@pytest.fixture
async def two(world: World) -> tuple[World, Any, Any]:
    """Two accounts with something in the tree each, one of them under a salt too."""
    account, client = world.account_client("other")
    await world.client.chat("mine", cache_salt="s")
    await world.client.chat("mine")
    await client.chat(SECRET)
    return world, account, client


async def test_an_administrator_sees_everyones_counts(two: tuple[World, Any, Any]) -> None:
    world, other, _ = two
    body = (await world.client.get("/v1/cache")).json
    assert body["scope"] == "all"
    assert body["mode"] == "radix"
    assert body["bytes_per_token"] == 4
    assert body["counters"]["requests"] == 3
    assert body["counters"]["prompt_tokens"] == 2 * (18 + len("mine")) + 18 + len(SECRET)
    assert list(body["engine"]) == ["computed_tokens", "evicted_tokens", "wanted_tokens", "retractions"]
    assert body["retention"] == {"used": 0, "budget": 50_000, "expired_tokens": 0, "yielded_tokens": 0}
    assert len(body["namespaces"]) == 3
    assert body["namespaces"][other.id] == {"device": 18 + len(SECRET), "host": 0, "disk": 0}
    device = body["tiers"]["device"]
    assert device["capacity"] == 100_000
    assert device["used"] == sum(space["device"] for space in body["namespaces"].values()) == device["tree"]
    assert device["free"] == 100_000 - device["used"]


async def test_another_key_sees_its_own_and_nothing_else(two: tuple[World, Any, Any]) -> None:
    world, other, client = two
    body = (await client.get("/v1/cache")).json
    assert body["scope"] == other.id
    assert list(body["namespaces"]) == [other.id]
    assert body["tiers"]["device"] == {"capacity": 100_000, "used": 18 + len(SECRET)}
    assert body["counters"]["requests"] == 1
    assert "engine" not in body
    assert "retention" not in body
    assert list(body["counters"]) == list((await world.client.get("/v1/cache")).json["counters"])
    before = (await client.get("/v1/cache")).body
    await world.client.chat("whatever others do")
    assert (await client.get("/v1/cache")).body == before


async def test_a_keys_own_counters(world: World) -> None:
    _, client = world.account_client("other")
    await client.chat("twice")
    await client.chat("twice", stream=True)
    counters = (await client.get("/v1/cache")).json["counters"]
    prompt = 18 + len("twice")
    assert counters == {
        "requests": 2,
        "prompt_tokens": 2 * prompt,
        "cached_tokens": prompt - 1,
        "cache_write_tokens": prompt,
        "completion_tokens": 18,
    }


async def test_the_tree_shows_text_to_its_owner_only(two: tuple[World, Any, Any]) -> None:
    world, other, client = two
    everyone = await world.client.get("/v1/cache/tree")
    assert SECRET not in everyone.body.decode()
    nodes = everyone.json["data"]
    assert {node["namespace"].split("/")[0] for node in nodes} == {world.account.id, other.id}
    assert all((node["text"] is None) == (node["namespace"] == other.id) for node in nodes)
    assert sum(node["tokens"] for node in nodes if node["namespace"] == other.id) == 18 + len(SECRET)
    own = (await client.get("/v1/cache/tree")).json["data"]
    assert {node["namespace"] for node in own} == {other.id}
    assert "".join(node["text"] for node in own) == f"user: {SECRET}\nassistant: "
    first, second = own
    assert (second["text"], second["role"], second["parent"]) == ("\nassistant: ", "assistant", first["id"])
    assert 0 <= first.pop("last_use") <= first.pop("age") < 60
    assert first.pop("id") > 0
    assert first == {
        "parent": 0,
        "namespace": other.id,
        "depth": 0,
        "tokens": 6 + len(SECRET),
        "text": f"user: {SECRET}",
        "hits": 0,
        "locked": False,
        "role": "user",
        "session_id": None,
        "priority": False,
        "pin": False,
        "expiry": None,
        "tier": "device",
    }


async def test_the_tree_of_another_is_forbidden(two: tuple[World, Any, Any]) -> None:
    world, other, client = two
    # A prefix of an id is no owner of it.
    for namespace in (world.account.id, f"{world.account.id}/x", other.id[:-1], f"{other.id}x"):
        answer = await client.get(f"/v1/cache/tree?namespace={namespace}")
        assert (answer.status, answer.error["param"]) == (403, "namespace")
        answer = await client.delete(f"/v1/cache?namespace={namespace}")
        assert answer.status == 403
    assert (await client.get(f"/v1/cache/tree?namespace={other.id}")).status == 200
    one = (await world.client.get(f"/v1/cache/tree?namespace={other.id}")).json["data"]
    assert {node["namespace"] for node in one} == {other.id}


async def test_limits_of_the_tree(two: tuple[World, Any, Any]) -> None:
    world, _, _ = two
    await world.client.chat("mine too")  # parts from "mine", so that there is a node with two below it
    whole = (await world.client.get("/v1/cache/tree?limit=8")).json
    assert (len(whole["data"]), whole["has_more"], whole["next"]) == (8, False, None)
    cut = (await world.client.get("/v1/cache/tree?limit=3")).json
    assert (len(cut["data"]), cut["has_more"]) == (3, True)
    rest = (await world.client.get(f"/v1/cache/tree?limit=9&after={cut['next']}")).json
    assert [node["id"] for node in cut["data"] + rest["data"]] == [node["id"] for node in whole["data"]]
    shallow = (await world.client.get("/v1/cache/tree?depth=1")).json["data"]
    assert {node["parent"] for node in shallow} == {0}
    big = (await world.client.get(f"/v1/cache/tree?min_tokens={6 + len(SECRET)}&limit=1")).json["data"]
    assert [node["tokens"] for node in big] == [6 + len(SECRET)]
    for query in ("limit=0", "limit=10001", "limit=x", "depth=-1", "min_tokens=1.5", "limit="):
        answer = await world.client.get(f"/v1/cache/tree?{query}")
        assert (answer.status, answer.error["param"]) == (400, query.split("=")[0])


async def test_retention_is_shown(world: World) -> None:
    await world.client.chat("mine", cache_ttl_seconds=600, high_priority=True, session_id="s")
    retention = (await world.client.get("/v1/cache")).json["retention"]
    assert retention == {"used": 22, "budget": 50_000, "expired_tokens": 0, "yielded_tokens": 0}
    for node in (await world.client.get("/v1/cache/tree")).json["data"]:
        assert (node["priority"], node["pin"], node["session_id"]) == (True, False, "s")
        assert 590 < node["expiry"] <= 600


async def test_nobody_else_sees_a_sessions_name(world: World) -> None:
    _, client = world.account_client("other")
    await client.chat("mine", session_id="project x")
    (shown, *_) = (await world.client.get("/v1/cache/tree")).json["data"]
    assert (shown["text"], shown["session_id"]) == (None, None)
    (own, *_) = (await client.get("/v1/cache/tree")).json["data"]
    assert own["session_id"] == "project x"


async def test_what_is_on_disk(world: World) -> None:
    disk = TierStats(enabled=True, budget=4000, bytes=1200, blocks=3, queued=8)

    async def stats() -> EngineStats:
        return EngineStats(disk=disk, namespaces={world.account.id: 5})

    world.engine.stats = stats  # type: ignore[method-assign]
    body = (await world.client.get("/v1/cache")).json
    assert body["tiers"]["disk"] == {
        "capacity": 1000,
        "used": 300,
        "capacity_bytes": 4000,
        "used_bytes": 1200,
        "blocks": 3,
        "queued_bytes": 8,
        "disabled": None,
    }
    # Whose the blocks are is not known, so nothing is said of one's own, and nobody sees what others have there.
    assert body["namespaces"] == {world.account.id: {"device": 5, "host": 0, "disk": None}}
    _, client = world.account_client("other")
    assert (await client.get("/v1/cache")).json["tiers"]["disk"] == {"capacity": 1000, "used": None}


async def test_dropping_ones_own(two: tuple[World, Any, Any]) -> None:
    world, other, client = two
    gone = (await client.delete("/v1/cache")).json
    assert gone == {
        "object": "cache.flushed",
        "dropped_tokens": 18 + len(SECRET),
        "dropped_host_tokens": 0,
        "dropped_disk_tokens": 0,
    }
    assert other.id not in world.engine.cache.namespaces()
    assert len(world.engine.cache.namespaces()) == 2
    assert (await client.chat(SECRET)).json["usage"]["cached_tokens"] == 0


async def test_an_administrator_drops_one_namespace_or_all(two: tuple[World, Any, Any]) -> None:
    world, other, _ = two
    await world.client.delete(f"/v1/cache?namespace={other.id}")
    assert other.id not in world.engine.cache.namespaces()
    await world.client.delete("/v1/cache")
    assert world.engine.cache.namespaces() == {}


@pytest.mark.parametrize(
    ("cache", "mode"), [({"enabled": False}, "none"), ({"force_miss": True}, "force_miss"), ({}, "radix")]
)
async def test_the_mode_is_told(build: Build, cache: dict[str, Any], mode: str) -> None:
    from radixa.core.config import CacheConfig

    world = build(cache=CacheConfig(**cache))
    assert (await world.client.get("/v1/cache")).json["mode"] == mode
