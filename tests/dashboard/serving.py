"""A dashboard to open in a browser: a gateway over the scripted engine, listening, in a thread of this process."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from radixa.core.config import AccountsConfig, Config, EngineConfig, ServerConfig, StoreConfig
from radixa.dashboard.mount import dashboard
from radixa.gateway.address import take
from radixa.gateway.app import App
from radixa.gateway.auth import Identity, KeyRing
from radixa.gateway.http1 import HttpServer
from radixa.gateway.state import Gateway
from radixa.providers.local.provider import LocalProvider
from radixa.providers.registry import Upstreams
from radixa.store.base import Account
from radixa.store.first import ensure_first_account
from radixa.store.sql import SqlStore, open_store
from tests.gateway.fakes import ByteTokenizer, FakeEngine, PlainTemplate

T = TypeVar("T")


@dataclass
class Served:
    url: str
    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    engine: FakeEngine
    store: SqlStore
    account: Account
    key: str
    """The administrator's."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """In the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def plain_key(self, account: str, name: str = "plain") -> str:
        """A key of a new account."""
        return self.store.create_key(self.store.create_account(account).id, name)[1]


@contextmanager
def served(
    folder: Path,
    migrated: Path,
    *,
    context: int = 4_000,
    prepare: Callable[[SqlStore], None] = lambda store: None,
    auth: bool = True,
) -> Iterator[Served]:
    """`prepare` may fill the store before the gateway opens it; without `auth` nobody needs a key."""
    shutil.copy(migrated, folder / "radixa.db")
    store = open_store(StoreConfig(), folder / "radixa.db")
    try:
        prepare(store)
        ready: asyncio.Queue[Served] = asyncio.Queue()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        running = asyncio.run_coroutine_threadsafe(_serve(folder, store, context, auth, ready, stop), loop)
        thread = threading.Thread(target=loop.run_forever, name="dashboard")
        thread.start()
        try:
            place = asyncio.run_coroutine_threadsafe(_first(ready, running), loop).result(20)
            yield place
        finally:
            loop.call_soon_threadsafe(stop.set)
            running.result(20)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()
    finally:
        store.close()


async def _first(ready: asyncio.Queue[Served], running: Any) -> Served:
    """What the server says when it listens, or why it does not."""
    got, ended = asyncio.create_task(ready.get()), asyncio.wrap_future(running)
    await asyncio.wait({got, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not got.done():
        got.cancel()
        ended.result()
    return got.result()


async def _serve(
    folder: Path, store: SqlStore, context: int, auth: bool, ready: asyncio.Queue[Served], stop: asyncio.Event
) -> None:
    config = Config(
        server=ServerConfig(sandbox=True, auth=auth),
        engine=EngineConfig(default_max_tokens=64),
        accounts=AccountsConfig(self_signup=True),
    )
    account = ensure_first_account(store)
    keys = KeyRing(store) if auth else KeyRing(store, Identity(account.id, "", admin=True))
    gateway = Gateway(config, store, keys, folder, Upstreams())
    await gateway.start()
    engine = FakeEngine(context=context)
    gateway.attach(LocalProvider("fake-model", engine, ByteTokenizer(), PlainTemplate()))
    app = App(gateway, mounted=dashboard(gateway))
    address = take("127.0.0.1", 0, auth=auth)
    _, key = store.create_key(account.id, "first", admin=True)
    with address.listener:
        server = HttpServer(app, address.listener, config.server, 100)
        await server.start()
        await ready.put(Served(address.url, asyncio.get_running_loop(), gateway, engine, store, account, key))
        await stop.wait()
        await app.drain(1.0)
        await server.stop(1.0)
    await gateway.close()
