"""A gateway over the scripted engine, behind a real port: for commands, which run a loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from radixa.core.config import Config, StoreConfig
from radixa.gateway.app import App
from radixa.gateway.auth import Identity, KeyRing
from radixa.gateway.state import Gateway
from radixa.providers.local.provider import LocalProvider
from radixa.store.first import ensure_first_account
from radixa.store.sql import open_store
from tests.gateway.fakes import ByteTokenizer, Client, FakeEngine, PlainTemplate


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server that takes everyone for one administrator."""
    store = open_store(StoreConfig(), folder / "radixa.db")
    account = ensure_first_account(store)
    gateway = Gateway(Config(), store, KeyRing(store, Identity(account.id, "", admin=True)), folder)
    gateway.attach(LocalProvider("fake-model", FakeEngine(), ByteTokenizer(), PlainTemplate()))
    client = Client(App(gateway))
    started, stop, addresses = threading.Event(), asyncio.Event(), []

    async def answer(request: web.Request) -> web.Response:
        found = await client.call(request.method, request.path_qs, await request.read())
        return web.Response(
            status=found.status, body=found.body, headers={"content-type": found.headers["content-type"]}
        )

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await gateway.start()
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        addresses.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        started.set()
        await stop.wait()
        await runner.cleanup()
        await gateway.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert started.wait(10)
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
        store.close()
