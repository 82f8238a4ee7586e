"""Namespaces never meet (law 4): whatever others do, what an account is told stays the same to the last byte.

One account runs the same requests twice: alone, and while others send the very same prompts, in sessions of the same
names, and pin, warm, drop and walk. Every answer must be the same. Then the same for two salts of one account, which
may learn one thing of each other: that a prompt is there under another salt.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from radixa.engine.base import TreePage, TreeQuery
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Answer, Client

RULES = "Answer each ticket with the name of one team, and with nothing else: billing, technical, sales."
_OWN = {"id", "created", "ttft_ms", "last_use", "age", "expiry", "evicted_at", "expired_at"}
"""What no two runs have alike, and tells of nobody else."""


def body(*turns: str, **fields: Any) -> dict[str, Any]:
    roles = ("system", "user", "assistant", "user")
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]} | fields


def stamped(number: int) -> str:
    return f"Time: {number}.\n{RULES}"


def requests(salt: dict[str, str], account: str, second: int = 10) -> list[tuple[str, str, Any]]:
    """What one account does: method, path, body. From `second` on its requests carry the time."""
    chat, explain, warm, cache = "/v1/chat/completions", "/v1/cache/explain", "/v1/cache/warm", "/v1/cache"
    found: list[tuple[str, str, Any]] = [
        ("POST", chat, body("The secret plan.", "What is it?", session_id="s", **salt)),
        ("POST", chat, body("The secret plan.", "What is it?", session_id="s", pin=True, **salt)),
        ("POST", chat, body("The secret plan.", "Who knows it?", prompt_cache_key="s", **salt)),
        ("POST", explain, body("The secret plan.", "What was it?", **salt)),
        ("POST", explain, body("The secret garden.", "What is it?", **salt)),
        ("POST", "/v1/completions", {"prompt": ["The secret plan.", "The secret plot."], "n": 2, **salt}),
        *[("POST", chat, body(stamped(number), "x", **salt)) for number in range(second, second + 4)],
        ("POST", explain, body(stamped(second + 4), "x", **salt)),
        ("POST", warm, body("Warm this.", cache_ttl_seconds=60, **salt)),
        ("POST", explain, body("Warm this.", "x", **salt)),
        ("DELETE", cache, body("Warm this.", **salt)),
        ("POST", explain, body("Warm this.", "x", **salt)),
    ]
    if not salt:
        found += [
            ("GET", cache, None),
            ("GET", f"{cache}/tree?limit=2", None),
            ("GET", f"{cache}/tree?namespace={account}&min_tokens=5", None),
            ("DELETE", f"{cache}?session_id=s", None),
            ("POST", explain, body("The secret plan.", "What is it?")),
            ("GET", cache, None),
            ("DELETE", cache, None),
            ("POST", explain, body("The secret plan.", "What is it?")),
            ("GET", f"{cache}/tree", None),
        ]
    return found


async def send(client: Client, method: str, path: str, sent: Any) -> Answer:
    answer = await client.call(method, path, b"" if sent is None else json.dumps(sent).encode())
    assert answer.status == 200, answer.body
    return answer


def told(answer: Answer) -> Any:
    """An answer without what is of this run alone; a walk's place is only whether there is one."""

    def plain(value: Any, names: dict[int, int]) -> Any:
        if isinstance(value, list):
            return [plain(entry, names) for entry in value]
        if not isinstance(value, dict):
            return value
        if "parent" in value:
            names[value["id"]] = len(names) + 1
            value = value | {"parent": names.get(value["parent"], 0)}
        if "next" in value:
            value = value | {"next": value["next"] is not None}
        return {name: plain(entry, names) for name, entry in value.items() if name not in _OWN}

    return plain(answer.json, {})


async def tell(client: Client, script: list[tuple[str, str, Any]], others: Callable[[int], Awaitable[None]]) -> Any:
    found = []
    for number, (method, path, sent) in enumerate(script):
        await others(number)
        found.append((method, path, sent, told(await send(client, method, path, sent))))
    return found


async def nobody(number: int) -> None:
    pass


async def test_two_accounts(build: Build) -> None:
    alone, crowded = build(), build()
    account, spy = alone.account_client("spy")
    script = requests({}, account.id)
    expected = await tell(spy, script, nobody)

    _, plain = crowded.account_client("a plain one")
    mine = requests({}, crowded.account.id)

    async def everyone(number: int) -> None:
        method, path, sent = mine[number]
        # Nobody but an administrator could drop what the spy has, so its own flush names its account.
        path = (
            f"{path}?namespace={crowded.account.id}" if (method, path) == ("DELETE", "/v1/cache") and not sent else path
        )
        await send(crowded.client, method, path, sent)
        if "namespace=" not in path:
            await send(plain, method, path, sent)
        for salt in ("blue", "green"):
            await send(plain, "POST", "/v1/chat/completions", body("The secret plan.", "What is it?", cache_salt=salt))

    found = await tell(crowded.client.using(spy.key), script, everyone)
    assert [entry[:3] for entry in found] == [entry[:3] for entry in expected]
    for seen, wanted in zip(found, expected, strict=True):
        assert seen == wanted
    # The script does see something: its own.
    assert found[1][3]["usage"]["cached_tokens"] > 0
    assert found[3][3]["miss"]["tree"] != []
    assert found[10][3]["volatile"] is not None


async def test_two_salts_of_one_account(build: Build) -> None:
    alone, crowded = build(), build()
    account, spy = alone.account_client("spy")
    script = requests({"cache_salt": "blue"}, account.id)
    expected = await tell(spy, script, nobody)
    mine = requests({"cache_salt": "green"}, account.id, second=50)
    client = crowded.client.using(spy.key)

    async def others(number: int) -> None:
        method, path, sent = mine[number]
        await send(client, method, path, sent)
        await send(client, method, path, {name: value for name, value in sent.items() if name != "cache_salt"})

    found = await tell(client, script, others)
    reasons = []
    for seen, wanted in zip(found, expected, strict=True):
        for usage in (seen[3], seen[3].get("usage", {}).get("radixa", {})):
            miss = usage.get("miss")
            if miss and miss["reason"] == "namespace":
                reasons.append(miss["reason"])
                assert (miss["yours"], miss["tree"]) == (None, [])
                known = (wanted[3] if usage is seen[3] else wanted[3]["usage"]["radixa"])["miss"]
                assert miss["at"] == known["at"]
                miss |= {name: known[name] for name in ("reason", "yours", "tree")}
        assert seen == wanted
    # The one thing that is told, and only to the account itself.
    assert reasons != []


@pytest.fixture
async def spied(world: World) -> tuple[World, Client, str]:
    """The administrator's account has a secret; a plain account knows the id of it."""
    await send(world.client, "POST", "/v1/chat/completions", body("The secret plan.", "What?", session_id="s"))
    _, spy = world.account_client("spy")
    return world, spy, world.account.id


async def test_a_namespace_by_its_name(spied: tuple[World, Client, str]) -> None:
    world, spy, victim = spied
    before = world.engine.cache.namespaces()
    for method, path in [
        ("GET", f"/v1/cache/tree?namespace={victim}"),
        ("GET", f"/v1/cache/tree?namespace={victim}/x"),
        ("DELETE", f"/v1/cache?namespace={victim}"),
        ("DELETE", f"/v1/cache?namespace={victim}&session_id=s"),
    ]:
        answer = await spy.call(method, path)
        assert (answer.status, answer.error["param"]) == (403, "namespace")
        assert "secret" not in answer.body.decode()
    assert world.engine.cache.namespaces() == before


async def test_a_salt_that_looks_like_a_namespace(spied: tuple[World, Client, str]) -> None:
    _, spy, victim = spied
    for salt in (victim, f"/{victim}", f"../{victim}", ""):
        answer = await spy.post("/v1/cache/explain", body("The secret plan.", "What?", cache_salt=salt))
        if salt:
            assert answer.json["cached_tokens"] == 0
            assert answer.json["miss"]["reason"] == "never_seen"
        else:
            assert answer.error["param"] == "cache_salt"


async def test_dropping_all_of_ones_own_drops_nothing_of_others(spied: tuple[World, Client, str]) -> None:
    world, spy, victim = spied
    before = world.engine.cache.namespaces()[victim]
    for path, sent in [("", None), ("?session_id=s", None), ("", body("The secret plan."))]:
        assert (await send(spy, "DELETE", f"/v1/cache{path}", sent)).json["dropped_tokens"] == 0
    assert world.engine.cache.namespaces()[victim] == before


async def test_an_administrator_gets_no_text_of_others(world: World) -> None:
    _, client = world.account_client("other")
    await send(client, "POST", "/v1/chat/completions", body("The secret plan.", "What?", session_id="hush"))
    for method, path, sent in [
        ("GET", "/v1/cache", None),
        ("GET", "/v1/cache/tree", None),
        ("POST", "/v1/cache/explain", body("The secret hut.", "What?")),
        ("POST", "/v1/cache/warm", body("The secret hut.")),
        ("DELETE", "/v1/cache", body("The secret")),
        ("DELETE", "/v1/cache?session_id=hush", None),
        ("GET", "/metrics", None),
    ]:
        answer = await send(world.client, method, path, sent)
        assert "plan" not in answer.body.decode()
        assert "hush" not in answer.body.decode()
    # And what it drops by a session's name or a prefix is its own.
    assert (await send(client, "POST", "/v1/cache/explain", body("The secret plan.", "What?"))).json["miss"] is None


async def test_numbers_of_nodes_do_not_count_what_others_do(world: World) -> None:
    _, spy = world.account_client("spy")
    numbers = []
    for text in ("a", "b", "c"):
        await send(spy, "POST", "/v1/completions", {"prompt": text, "max_tokens": 1})
        for i in range(5):
            await send(world.client, "POST", "/v1/completions", {"prompt": f"{i}{text}", "max_tokens": 1})
        numbers = [node["id"] for node in (await send(spy, "GET", "/v1/cache/tree", None)).json["data"]]
    assert len(set(numbers)) == 3
    assert all(0 < number < 2**52 for number in numbers)
    assert min(abs(a - b) for a in numbers for b in numbers if a != b) > 1_000_000


async def test_a_walk_of_another_cannot_be_gone_on_with(world: World) -> None:
    """With the walks of the engine itself, whose cursors are what an account might guess."""
    from radixa.engine.loop import EngineLoop

    loop = EngineLoop(world.engine.info, None, world.engine.cache, None, None, frozenset(), 1)  # type: ignore[arg-type]

    async def walk(wanted: TreeQuery) -> TreePage:
        return loop.tree(wanted)

    world.engine.tree = walk  # type: ignore[method-assign]
    account, spy = world.account_client("spy")
    for client in (world.client, spy):
        await send(client, "POST", "/v1/chat/completions", body("The secret plan.", "What?"))
    for path in ("/v1/cache/tree?limit=1", f"/v1/cache/tree?limit=1&namespace={world.account.id}"):
        cursor = (await send(world.client, "GET", path, None)).json["next"]
        for guess in range(max(0, cursor - 3), cursor + 4):
            for query in (f"after={guess}", f"after={guess}&namespace={account.id}"):
                answer = await spy.get(f"/v1/cache/tree?{query}")
                # 0 begins a walk of one's own.
                assert answer.status == (404 if guess else 200)
                assert world.account.id not in answer.body.decode()
    own = (await send(spy, "GET", "/v1/cache/tree?limit=1", None)).json["next"]
    rest = (await send(spy, "GET", f"/v1/cache/tree?after={own}", None)).json["data"]
    assert {node["namespace"] for node in rest} == {account.id}
