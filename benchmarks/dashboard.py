"""`/dashboard/usage` over a large ledger: how long the server takes for the page.

    python benchmarks/dashboard.py [--rows 1000000] [--times 9] [--folder FOLDER]

Fills a SQLite database in a temporary folder as `benchmarks/ledger.py` does (4 GB and half an hour for ten million
rows), or in FOLDER, where it stays and is found by the next run. Opens a gateway without an engine over it, signs in,
and asks for the page in this process: the session, the questions to the ledger, limits, credits and the template,
without the network. Prints the median and the slowest of each page.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from ledger import account, fill, gigabytes

from radixa.core.config import Config, EngineConfig, StoreConfig
from radixa.dashboard.mount import dashboard
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.store.first import ensure_first_account
from radixa.store.ledger.base import Query
from radixa.store.ledger.sql import SqlLedger
from radixa.store.schema import accounts
from radixa.store.sql import SqlStore, open_store

LIMIT_MS = 300.0
"""What the page may take over ten million rows."""
PAGES = ("", "?by=key", "?by=account", "?by=day", "?by=model&range=all", "?by=day&range=7", "?by=session&range=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="radixa-dashboard-") as name:
        folder = chosen.folder or Path(name)
        store = open_store(StoreConfig(), folder / "radixa.db")
        try:
            there = SqlLedger(store.engine).totals(Query()).requests
            if not there:
                started = time.perf_counter()
                fill(store.engine, chosen.rows)
                print(f"{chosen.rows:,} rows filled in {time.perf_counter() - started:.0f} s", flush=True)
            print(f"{there or chosen.rows:,} rows: {gigabytes(store.engine):.2f} GB")
            asyncio.run(measure(store, folder, chosen.times))
        finally:
            store.close()


async def measure(store: SqlStore, folder: Path, times: int) -> None:
    config = Config(engine=EngineConfig(enabled=False))
    first = ensure_first_account(store)
    keys = {"administrator": store.create_key(first.id, "first", admin=True)[1], "largest account": tenant(store)}
    gateway = Gateway(config, store, KeyRing(store), folder)
    await gateway.start()
    try:
        app = App(gateway, mounted=dashboard(gateway))
        for who, key in keys.items():
            cookie = await signed_in(app, key)
            for page in PAGES:
                if page == "?by=account" and who != "administrator":
                    continue
                taken = []
                for _ in range(times):
                    started = time.perf_counter()
                    status, _, body = await call(app, "GET", f"/dashboard/usage{page}", cookie)
                    taken.append((time.perf_counter() - started) * 1e3)
                    assert status == 200, body
                slow = "" if max(taken) <= LIMIT_MS else f"  over {LIMIT_MS:.0f} ms"
                print(f"/dashboard/usage{page:22} {who:16} {median(taken):8.1f} ms, slowest {max(taken):.1f} ms{slow}")
    finally:
        await gateway.close()


def tenant(store: SqlStore) -> str:
    """A key of the account with the most rows, which `fill` wrote down without opening it."""
    with store.engine.begin() as connection:
        if connection.execute(accounts.select().where(accounts.c.id == account(0))).first() is None:
            connection.execute(accounts.insert().values(id=account(0), name="largest", created=0, credit_limit=None))
    return store.create_key(account(0), "plain")[1]


async def signed_in(app: App, key: str) -> str:
    """The cookie of a session."""
    _, headers, page = await call(app, "GET", "/dashboard/sign-in")
    token = re.search(rb'name="csrf" value="([^"]+)"', page)
    assert token is not None
    form = urlencode({"csrf": token[1].decode(), "key": key}).encode()
    status, headers, _ = await call(app, "POST", "/dashboard/sign-in", cookie_of(headers), form)
    assert status == 303
    return cookie_of(headers)


def cookie_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    return next(value for name, value in headers if name == b"set-cookie").decode().partition(";")[0]


async def call(
    app: App, method: str, path: str, cookie: str = "", body: bytes = b""
) -> tuple[int, Sequence[tuple[bytes, bytes]], bytes]:
    name, _, query = path.partition("?")
    headers = [(b"cookie", cookie.encode()), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": method, "path": name, "query_string": query.encode(), "headers": headers}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent[0]["headers"], b"".join(message["body"] for message in sent[1:])


if __name__ == "__main__":
    main()
