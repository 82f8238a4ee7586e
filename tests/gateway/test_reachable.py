"""`/ready` while the database is away, over a real PostgreSQL behind a proxy that can go away, or fall silent."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import make_url, text

from radixa.core.config import StoreConfig
from radixa.gateway.reachable import Reachable
from radixa.store.sql import SqlStore, open_store
from tests.gateway.conftest import World


class Proxy:
    """Before a database, in a thread of its own, so that it answers also where the loop of a test does not."""

    def __init__(self, url: str) -> None:
        self.mode: Literal["up", "away", "silent"] = "up"
        self.taken = 0
        """Connections that were asked for."""
        target = make_url(url)
        place = str(target.query.get("host", "") or target.host)
        self._to = (place, target.port or 5432)
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        port = self._server.sockets[0].getsockname()[1]
        rest = {name: value for name, value in target.query.items() if name != "host"}
        plain = target.set(host="127.0.0.1", port=port, query=rest | {"sslmode": "disable", "gssencmode": "disable"})
        self.url = plain.render_as_string(hide_password=False)

    def be(self, mode: Literal["up", "away", "silent"]) -> None:
        """From now on; what is connected is cut unless it is up."""
        self.mode = mode
        if mode != "up":
            self._run(self._cut())

    def close(self) -> None:
        self._server.close()
        self._run(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Awaitable[asyncio.Server] | Awaitable[None]) -> asyncio.Server:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()
        while self._open:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self._open.add(writer)
        try:
            if self.mode == "silent":
                await reader.read()
            elif self.mode == "up":
                place, port = self._to
                opening = asyncio.open_unix_connection(f"{place}/.s.PGSQL.{port}")
                there, back = await (opening if place.startswith("/") else asyncio.open_connection(place, port))
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
        except OSError:
            pass  # Either end went: so does the other.
        finally:
            self._open.discard(writer)
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()


@pytest.fixture
def proxy(postgres_schema: str) -> Iterator[Proxy]:
    found = Proxy(postgres_schema)
    yield found
    found.close()


@pytest.fixture
def store(proxy: Proxy) -> Iterator[SqlStore]:
    """In place of the file that the fixtures of this folder use."""
    found = open_store(StoreConfig(url=proxy.url))
    yield found
    proxy.be("up")
    found.close()


async def until(world: World, status: int) -> None:
    async with asyncio.timeout(20):
        while (await world.client.get("/ready")).status != status:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_ready_says_when_the_database_is_away_and_when_it_is_back(
    world: World, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    world.gateway.reachable = Reachable(world.store.engine, every_s=0)
    client = world.client.using(None)
    assert (await client.get("/ready")).json == {"status": "ready", "model": "fake-model"}
    with caplog.at_level(logging.INFO, "radixa.gateway"):
        proxy.be("away")
        for _ in range(3):
            answer = await client.get("/ready")
            assert answer.status == 503
            assert answer.json == {"status": "unavailable", "reason": "the database (postgresql) does not answer"}
        # Who restarts what does not live leaves this process alone.
        assert (await client.get("/health")).status == 200
        proxy.be("up")
        await until(world, 200)
        proxy.be("away")
        await until(world, 503)
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in said] == [
        "the database does not answer",
        "the database answers again",
        "the database does not answer",
    ]


async def test_a_silent_database_is_waited_for_in_bounds_and_beside_the_loop(world: World, proxy: Proxy) -> None:
    world.gateway.reachable = Reachable(world.store.engine, every_s=0, patience_s=0.2)
    proxy.be("silent")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    before = proxy.taken
    answers = await asyncio.gather(*(world.client.get("/ready") for _ in range(5)))
    ticking.cancel()
    assert [answer.status for answer in answers] == [503] * 5
    assert ticks > 3
    # Who asks while one question is open does not wait again, nor ask another.
    assert (await world.client.get("/ready")).status == 503
    assert proxy.taken == before + 1
    proxy.be("up")
    await until(world, 200)


async def test_it_is_asked_once_a_second_at_most(world: World, proxy: Proxy) -> None:
    now = 0.0
    world.gateway.reachable = Reachable(world.store.engine, clock=lambda: now)
    before = proxy.taken
    for _ in range(20):
        assert (await world.client.get("/ready")).status == 200
    assert proxy.taken == before + 1
    proxy.be("away")
    assert (await world.client.get("/ready")).status == 200
    now += 1.0
    assert (await world.client.get("/ready")).status == 503
    assert proxy.taken == before + 2


async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "gone" / "radixa.db"
    store = open_store(StoreConfig(), file)
    try:
        reachable = Reachable(store.engine, every_s=0)
        assert await reachable()
        store.engine.dispose()
        shutil.rmtree(file.parent)
        assert not await reachable()
    finally:
        store.close()


async def test_a_file_is_not_asked_by_the_pools_connections(tmp_path: Path) -> None:
    store = open_store(StoreConfig(), tmp_path / "radixa.db")
    try:
        pool: Any = store.engine.pool
        taken = [store.engine.connect() for _ in range(pool.size() + pool._max_overflow)]
        assert await Reachable(store.engine)()
        for connection in taken:
            connection.close()
    finally:
        store.close()


async def test_an_answer_that_does_not_come_is_given_up(postgres_schema: str) -> None:
    store = open_store(StoreConfig(url=postgres_schema))
    now = 0.0
    reachable = Reachable(store.engine, every_s=0, patience_s=0.05, clock=lambda: now)

    def asking() -> int:
        return sum(thread.name == "reachable" for thread in threading.enumerate())

    try:
        assert await reachable()
        with store.engine.begin() as connection:
            connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
            for expected in (1, 1, 2, 3, 4, 4):
                assert not await reachable()
                assert asking() == expected
                # Not long enough, at first.
                now += 0.2 if expected == 1 and now < 0.2 else 0.3
        async with asyncio.timeout(10):
            while not await reachable() or asking():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
    finally:
        store.close()
