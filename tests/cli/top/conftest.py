"""A gateway over the scripted engine behind a real port of the test's own loop, which may go away and come back."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from radixa.core.config import Config, StoreConfig
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.providers.local.provider import LocalProvider
from radixa.store.first import ensure_first_account
from radixa.store.sql import open_store
from tests.gateway.fakes import ByteTokenizer, Client, FakeEngine, PlainTemplate


class Served:
    """`url` stays the same when it is `stop`ped and `start`ed."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(StoreConfig(), folder / "radixa.db")
        account = ensure_first_account(self.store)
        _, self.key = self.store.create_key(account.id, "first", admin=True)
        other = self.store.create_account("other")
        _, self.other_key = self.store.create_key(other.id, "theirs")
        self.folder = folder
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """A new process, as far as its counters tell: a gateway and an engine that know nothing yet."""
        gateway = Gateway(Config(), self.store, KeyRing(self.store), self.folder)
        self.engine = FakeEngine()
        gateway.attach(LocalProvider("fake-model", self.engine, ByteTokenizer(), PlainTemplate()))
        await gateway.start()
        self.gateway, self.client = gateway, Client(App(gateway), self.key)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            await self.gateway.close()

    async def complete(self, prompt: str, key: str | None = None) -> None:
        client = self.client.using(key) if key else self.client
        answer = await client.post("/v1/completions", {"prompt": prompt, "max_tokens": 4})
        assert answer.status == 200, answer.body

    async def _answer(self, request: web.Request) -> web.Response:
        client = self.client.using(request.headers.get("Authorization", "").removeprefix("Bearer ") or None)
        found = await client.call(request.method, request.path_qs, await request.read())
        return web.Response(
            status=found.status, body=found.body, headers={"content-type": found.headers["content-type"]}
        )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, migrated once; each test works on a copy."""
    file = tmp_path_factory.mktemp("store") / "radixa.db"
    open_store(StoreConfig(), file).close()
    return file


@pytest.fixture
async def served(tmp_path: Path, migrated: Path) -> AsyncIterator[Served]:
    shutil.copy(migrated, tmp_path / "radixa.db")
    found = Served(tmp_path)
    await found.start()
    yield found
    await found.stop()
    found.store.close()
