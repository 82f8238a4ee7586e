"""`/v1/cache/events`: what happens in the tree, told to whoever may know of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from radixa.core import tokens
from radixa.core.errors import EngineUnavailable
from radixa.engine.base import Changes, Touch, TreeQuery
from radixa.gateway import tree_feed
from tests.gateway.conftest import World
from tests.gateway.fakes import Answer, Client

SECRET = "the secret plan"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_feed, "TURN_S", 0.01)
    monkeypatch.setattr(tree_feed, "AGAIN_S", 0.01)


class Heard:
    """A stream while it comes."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    @property
    def events(self) -> list[tuple[str, Any]]:
        found = []
        for block in self.answer.body.decode().split("\n\n")[:-1]:
            if not block.startswith(":"):
                kind, data = block.split("\n")
                found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        return found

    def all(self, what: str) -> list[Any]:
        return [item for kind, body in self.events if kind == "changes" for item in body.get(what) or []]

    async def until(self, test: Any) -> None:
        async with asyncio.timeout(10):
            while not test():  # noqa: ASYNC110 - what it waits for may be anything
                await asyncio.sleep(0.005)


@asynccontextmanager
async def watching(client: Client, query: str = "") -> AsyncIterator[Heard]:
    leave, answer = asyncio.Event(), Answer()
    task = asyncio.create_task(client.call("GET", f"/v1/cache/events{query}", leave=leave, answer=answer))
    heard = Heard(answer)
    try:
        await heard.until(lambda: task.done() or heard.events)
        yield heard
    finally:
        leave.set()
        await asyncio.wait_for(task, 10)


async def test_what_comes_is_hit_and_goes_is_told(world: World) -> None:
    async with watching(world.client) as heard:
        assert heard.answer.headers["content-type"].startswith("text/event-stream")
        assert [kind for kind, _ in heard.events] == ["open"]
        await world.client.chat("mine")
        await heard.until(lambda: len(heard.all("nodes")) == 2)
        first, second = heard.all("nodes")
        assert (first["text"], first["parent"], second["parent"]) == ("user: mine", 0, first["id"])
        assert [one["id"] for one in (await world.client.get("/v1/cache/tree")).json["data"]] == [
            first["id"],
            second["id"],
        ]
        await world.client.chat("mine")
        await heard.until(lambda: [first["id"], 1] in [touch[:2] for touch in heard.all("touches")])
        await world.client.delete("/v1/cache")
        await heard.until(lambda: len(heard.all("removals")) >= 2)
        assert {tuple(gone) for gone in heard.all("removals")} >= {(first["id"], "flush"), (second["id"], "flush")}


async def test_a_pin_is_told(world: World) -> None:
    await world.client.chat("mine")
    node = (await world.client.get("/v1/cache/tree")).json["data"][0]["id"]
    async with watching(world.client) as heard:
        await world.client.call("PATCH", f"/v1/cache/nodes/{node}", b'{"pin": true, "cache_ttl_seconds": 60}')
        await heard.until(lambda: heard.all("touches"))
        number, hits, _, pin, priority, expiry = heard.all("touches")[0]
        assert (number, hits, pin, priority) == (node, 0, True, False)
        assert 50 < expiry <= 60


async def test_nobody_hears_of_another_account(world: World) -> None:
    other, client = world.account_client("other")
    async with watching(client) as theirs, watching(world.client) as admins:
        await world.client.chat(SECRET)
        await client.chat("theirs")
        await theirs.until(lambda: theirs.all("nodes"))
        await admins.until(lambda: len({node["namespace"] for node in admins.all("nodes")}) == 2)
        await world.client.delete("/v1/cache")
        await theirs.until(lambda: theirs.all("removals"))
        assert {node["namespace"] for node in theirs.all("nodes")} == {other.id}
        assert SECRET not in theirs.answer.body.decode()
        own = {node["id"] for node in theirs.all("nodes")}
        assert {gone[0] for gone in theirs.all("removals")} <= own
        # An administrator hears that there is something, and whose, and not what.
        assert {node["text"] for node in admins.all("nodes") if node["namespace"] == other.id} == {None}
        assert SECRET in admins.answer.body.decode()
    answer = await client.get(f"/v1/cache/events?namespace={world.account.id}")
    assert (answer.status, answer.error["param"]) == (403, "namespace")


async def test_a_namespace_alone(world: World) -> None:
    async with watching(world.client, "?cache_salt=s") as heard:
        await world.client.chat("plain")
        await world.client.chat("salted", cache_salt="s")
        await heard.until(lambda: heard.all("nodes"))
        assert {node["namespace"].partition("/")[0] for node in heard.all("nodes")} == {world.account.id}
        assert "plain" not in heard.answer.body.decode()


async def test_running_requests_are_told(world: World) -> None:
    cache = world.engine.cache
    await world.client.chat("mine")
    async with watching(world.client) as heard:
        (first, *_) = (await world.client.get("/v1/cache/tree")).json["data"]
        node = next(iter(cache.tree.roots()[0].children.values()))
        lease = cache.match(node.segment, world.account.id, node.tokens)
        await heard.until(lambda: [first["id"]] in [body.get("locked") for _, body in heard.events])
        cache.release(lease)
        await heard.until(lambda: heard.events[-1][1].get("locked") == [])


async def test_who_missed_too_much_is_told_to_read_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.engine.watching.MOST_NOTES", 1)
    async with watching(world.client) as heard:
        await world.client.chat("mine")
        await heard.until(lambda: any(body.get("reload") for _, body in heard.events))


async def test_while_nothing_happens_a_line_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_feed, "QUIET_S", 0.05)
    async with watching(world.client) as heard:
        await heard.until(lambda: heard.answer.body.count(b": nothing happens\n\n") >= 2)
        await world.client.chat("mine")
        await heard.until(lambda: heard.all("nodes"))


async def test_the_engine_is_asked_only_while_somebody_watches(world: World) -> None:
    asked = 0
    changes = world.engine.changes

    async def counted() -> Any:
        nonlocal asked
        asked += 1
        return await changes()

    world.engine.changes = counted  # type: ignore[method-assign]
    async with watching(world.client), watching(world.client):
        pass
    await asyncio.sleep(0.05)
    before = asked
    await asyncio.sleep(0.05)
    assert asked == before > 0


async def test_an_engine_that_does_not_answer_ends_nothing(world: World) -> None:
    changes, failing = world.engine.changes, True

    async def sometimes() -> Any:
        if failing:
            raise EngineUnavailable("not now")
        return await changes()

    async with watching(world.client) as heard:
        world.engine.changes = sometimes  # type: ignore[method-assign]
        await asyncio.sleep(0.03)
        failing = False
        await world.client.chat("mine")
        await heard.until(lambda: heard.all("nodes"))


async def test_a_viewer_hears_nothing_more_once_its_key_is_revoked(world: World) -> None:
    account, client = world.account_client("other")
    key, secret = world.store.create_key(account.id, "second")
    async with watching(client.using(secret)) as heard:
        assert (await world.client.delete(f"/v1/keys/{key.id}")).status == 200
        await client.chat("said later")
        await heard.until(lambda: b"revoked" in heard.answer.body)
        assert "said later" not in heard.answer.body.decode()


async def test_a_database_that_does_not_answer_ends_the_stream_with_words(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("radixa.gateway.auth.REMEMBER_S", 0.0)
    async with watching(world.client) as heard:
        with world.store.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE keys RENAME TO lost")
        world.gateway.keys.forget_account(world.account.id)
        lease = world.engine.cache.bare(world.account.id)
        world.engine.cache.extend(lease, 1)
        world.engine.cache.finish(lease, tokens.pack([1]))
        await heard.until(lambda: b"database does not answer" in heard.answer.body)
    assert "failed in mid-stream" not in caplog.text


async def test_what_was_said_of_a_node_earlier_does_not_come_after_it(world: World) -> None:
    await world.client.chat("mine")
    node = replace((await world.engine.tree(TreeQuery())).nodes[0], hits=4)
    early = Changes([], [Touch(node.id, node.namespace, 3, 1.0, None)], [], [], [], begun=False, more=False)
    late = Changes([node], [], [], [], [], begun=False, more=False)
    async with watching(world.client) as heard:
        (viewer,) = world.gateway.feed._viewers
        viewer.hear(early)
        viewer.hear(late)
        await heard.until(lambda: heard.all("nodes"))
        ((_, told),) = [event for event in heard.events if "nodes" in event[1]]
        assert ([one["hits"] for one in told["nodes"]], told.get("touches")) == ([4], None)


async def test_too_many_viewers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_feed, "MOST_VIEWERS", 1)
    async with watching(world.client):
        assert (await world.client.get("/v1/cache/events")).status == 429
        _, client = world.account_client("other")
        async with watching(client) as heard:
            assert heard.answer.status == 200


async def test_the_end_of_the_server_ends_it(world: World) -> None:
    async with watching(world.client) as heard:
        world.gateway.stopping = True
        await world.app.drain(10.0)
        assert heard.events[0][0] == "open"


async def test_who_asks_for_the_head_alone_gets_it_and_no_stream(world: World) -> None:
    async with asyncio.timeout(10):
        answer = await world.client.call("HEAD", "/v1/cache/events")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
