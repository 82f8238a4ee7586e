"""Cache wishes: what each does to the policy and the namespace that the engine gets."""

from __future__ import annotations

from typing import Any

import pytest

from radixa.core.base import CachePolicy
from radixa.core.config import CacheConfig
from tests.gateway.conftest import Build, World

ON, OFF = CachePolicy(), CachePolicy(read=False, write=False)
NO_STORE = CachePolicy(read=True, write=False)
TTL = {"type": "ephemeral", "ttl": "1h"}
PART = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
BREAKPOINT = [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]

CASES: list[tuple[dict[str, Any], CachePolicy, CachePolicy]] = [
    # the body's wishes, the policy where the cache is on by default, where it is opt-in
    ({}, ON, OFF),
    ({"prompt_cache": True}, ON, ON),
    ({"prefix_caching": True}, ON, ON),
    ({"prompt_cache": True, "prefix_caching": True}, ON, ON),
    ({"prompt_cache": False}, OFF, OFF),
    ({"prefix_caching": False}, OFF, OFF),
    ({"cache_control": "auto"}, ON, ON),
    ({"cache_control": "no-store"}, NO_STORE, NO_STORE),
    ({"cache_control": "no-cache"}, OFF, OFF),
    ({"cache_control": TTL}, ON, ON),
    ({"prompt_cache": True, "cache_control": "no-store"}, NO_STORE, NO_STORE),
    ({"prompt_cache": False, "cache_control": "no-cache"}, OFF, OFF),
    ({"prompt_cache": False, "cache_control": "no-store"}, OFF, OFF),
    ({"prompt_cache": False, "cache_ttl_seconds": 60, "high_priority": True}, OFF, OFF),
    ({"cache_ttl_seconds": 1}, ON, ON),
    ({"cache_ttl_seconds": 86_400}, ON, ON),
    ({"high_priority": True}, ON, ON),
    ({"high_priority": False}, ON, OFF),
    ({"content": PART}, ON, ON),
    ({"content": BREAKPOINT}, ON, ON),
    # These name or tag; they ask for nothing.
    ({"prompt_cache_key": "k", "session_id": "s", "cache_salt": "x"}, ON, OFF),
    ({"prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "implicit", "ttl": "30m"}}, ON, OFF),
]


@pytest.mark.parametrize(("wishes", "auto", "opt_in"), CASES, ids=lambda case: str(case)[:50])
async def test_what_a_wish_does(build: Build, wishes: dict[str, Any], auto: CachePolicy, opt_in: CachePolicy) -> None:
    world = build(cache=CacheConfig(default="auto"))
    answer = await world.client.chat(**wishes)
    assert answer.status == 200, answer.body
    assert world.engine.requests[0].cache == auto
    wary = build(cache=CacheConfig(default="opt-in"))
    assert (await wary.client.chat(**wishes)).status == 200
    assert wary.engine.requests[0].cache == opt_in


async def test_completions_take_the_same_wishes(world: World) -> None:
    await world.client.post("/v1/completions", {"prompt": "x", "cache_control": "no-store"})
    assert world.engine.requests[0].cache == NO_STORE


async def test_off_reads_nothing_and_keeps_nothing(world: World) -> None:
    await world.client.chat("again")
    off = (await world.client.chat("again", prompt_cache=False)).json["usage"]
    assert off["cached_tokens"] == 0
    assert off["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    no_store = (await world.client.chat("again and more", cache_control="no-store")).json["usage"]
    assert no_store["cached_tokens"] > 0
    assert no_store["prompt_tokens_details"]["cache_write_tokens"] == 0


async def test_the_namespace_is_the_account_narrowed_by_the_salt(world: World) -> None:
    other, client = world.account_client("other")
    await world.client.chat("secret")
    await world.client.chat("secret", cache_salt="a")
    await world.client.chat("secret", cache_salt="a/b")
    await client.chat("secret")
    await client.chat("secret", cache_salt="a")
    seen = [request.namespace for request in world.engine.requests]
    assert seen[0] == world.account.id
    assert seen[3] == other.id
    assert len(set(seen)) == 5
    for namespace, owner in zip(seen, [world.account.id] * 3 + [other.id] * 2, strict=True):
        account, *salts = namespace.split("/")
        assert account == owner
        # The salt itself is nowhere to be seen.
        assert all(len(salt) == 32 for salt in salts)


async def test_namespaces_never_meet_in_usage(world: World) -> None:
    _, client = world.account_client("other")
    await world.client.chat("a secret that nobody else may detect")
    for caller, fields in [(client, {}), (world.client, {"cache_salt": "s"}), (client, {"cache_salt": "s"})]:
        usage = (await caller.chat("a secret that nobody else may detect", **fields)).json["usage"]
        assert usage["cached_tokens"] == 0
    assert (await client.chat("a secret that nobody else may detect")).json["usage"]["cached_tokens"] > 0
