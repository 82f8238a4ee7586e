"""A gateway over the scripted engine, called without a network; and a real server with the real model."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from radixa.core.config import CacheConfig, Config, EngineConfig, ModelEntry, ServerConfig, StoreConfig
from radixa.gateway.app import App
from radixa.gateway.auth import Identity, KeyRing
from radixa.gateway.state import Gateway
from radixa.models.base import ModelFolder
from radixa.providers.local.provider import LocalProvider
from radixa.providers.registry import upstreams
from radixa.store.base import Account
from radixa.store.first import ensure_first_account
from radixa.store.sql import SqlStore, open_store
from tests.gateway.fakes import ByteTokenizer, Client, FakeEngine, PlainTemplate
from tests.gateway.live import KEY, Clients, Live, serving


@dataclass
class World:
    """One server's parts, and a client with the administrator's key."""

    gateway: Gateway
    app: App
    engine: FakeEngine
    store: SqlStore
    account: Account
    client: Client

    def account_client(self, name: str) -> tuple[Account, Client]:
        """A client with a plain key of a new account."""
        account = self.store.create_account(name)
        _, secret = self.store.create_key(account.id, "plain")
        return account, self.client.using(secret)


Build = Callable[..., World]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, migrated once; each test works on a copy."""
    file = tmp_path_factory.mktemp("store") / "radixa.db"
    open_store(StoreConfig(), file).close()
    return file


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[SqlStore]:
    shutil.copy(migrated, tmp_path / "radixa.db")
    found = open_store(StoreConfig(), tmp_path / "radixa.db")
    yield found
    found.close()


@pytest.fixture
async def build(store: SqlStore, tmp_path: Path) -> AsyncIterator[Build]:
    """Makes a world; every engine request of it must have ended when the test does."""
    worlds = []

    def make(
        engine: FakeEngine | None = None,
        *,
        sandbox: bool = True,
        auth: bool = True,
        cache: CacheConfig | None = None,
        models: tuple[ModelEntry, ...] = (),
        max_body_bytes: int = 100_000,
        body_timeout_s: float = 60.0,
        attach: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> World:
        engine = engine or FakeEngine()
        config = Config(
            server=ServerConfig(
                sandbox=sandbox, auth=auth, max_body_bytes=max_body_bytes, body_timeout_s=body_timeout_s
            ),
            engine=EngineConfig(default_max_tokens=64),
            cache=cache or CacheConfig(),
            models=models,
        )
        account = ensure_first_account(store)
        keys = KeyRing(store) if auth else KeyRing(store, Identity(account.id, "", admin=True))
        gateway = Gateway(config, store, keys, tmp_path, upstreams(config.providers, environ or {}))
        gateway.ledger.start()
        if attach:
            gateway.attach(LocalProvider("fake-model", engine, ByteTokenizer(), PlainTemplate()))
        _, secret = store.create_key(account.id, "first", admin=True)
        app = App(gateway)
        worlds.append(World(gateway, app, engine, store, account, Client(app, secret)))
        return worlds[-1]

    yield make
    for world in worlds:
        assert [r.request_id for r in world.engine.requests if r.request_id not in world.engine.ended] == []
        await world.gateway.close()


@pytest.fixture
def world(build: Build) -> World:
    return build()


@pytest.fixture(scope="session")
def server(smollm2: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server"), "--sandbox") as live:
        yield live


@pytest.fixture(scope="session")
def raw(server: Live) -> Iterator[httpx2.Client]:
    """An administrator's requests, also those that no SDK would send."""
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, timeout=60) as found:
        yield found


@pytest.fixture(scope="session")
def clients(server: Live) -> Iterator[Clients]:
    from anthropic import Anthropic
    from openai import OpenAI

    with (
        OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as one,
        # Anthropic's own header for a key.
        Anthropic(base_url=server.url, api_key=KEY, max_retries=0) as other,
    ):
        yield Clients(one, other)
