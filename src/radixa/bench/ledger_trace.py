"""A ledger as a trace: the blocks that its prompts had, from a database of ours or from a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from radixa.bench.traces import Request, Trace
from radixa.core.addresses import without_password
from radixa.core.errors import CallFailed, TraceError
from radixa.core.tokens import pack
from radixa.store.ledger.base import LedgerRow
from radixa.store.ledger.blocks import BLOCK_TOKENS, split_names

_SQLITE = b"SQLite format 3\0"
_PAGE = 1_000


def is_ledger(source: str) -> bool:
    """Whether `source` is a URL or a SQLite database, and so no file of requests."""
    if "://" in source:
        return True
    try:
        with Path(source).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def read_ledger(source: str, api_key: str | None = None) -> Trace:
    """The requests whose blocks the ledger knows, oldest first: those that an embedded engine answered.

    `source`: a server's address, asked with `api_key` (for an administrator's it tells of all accounts, for any other
    of its own); a database's URL; or a SQLite file. TraceError where there are no such requests, CallFailed where the
    server does not answer, ConfigError where the database cannot be opened.
    """
    if urlsplit(source).scheme in ("http", "https"):
        rows = asyncio.run(_of_server(source, api_key))
    else:
        rows = list(_of_database(source if "://" in source else f"sqlite:///{source}"))
    if not rows:
        raise TraceError(
            f"{without_password(source)} has no request with known blocks: only the embedded engine's are, from "
            f"prompts of at least {BLOCK_TOKENS} tokens"
        )
    return Trace("block", tuple(_requests(rows)), BLOCK_TOKENS)


def _requests(rows: Iterable[LedgerRow]) -> Iterator[Request]:
    numbers: dict[int, int] = {}
    for row in rows:
        # Names are hashes of 64 bits; the tree wants int32. Those of two namespaces are never the same.
        blocks = [numbers.setdefault(name, len(numbers)) for name in split_names(row.blocks)]
        yield Request(pack(blocks), b"", "", row.prompt_tokens, time=row.created, session=row.session_id)


def _of_database(url: str) -> Iterator[LedgerRow]:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    from radixa.store.database import connect
    from radixa.store.ledger.sql import SqlLedger

    try:
        parts = make_url(url)
    except ArgumentError:
        parts = None
    if parts is not None and parts.get_backend_name() == "sqlite" and not Path(parts.database or "").is_file():
        raise TraceError(f"cannot read the ledger {url}: there is no such file")
    engine = connect(url, Path())
    try:
        yield from SqlLedger(engine).blocks()
    finally:
        engine.dispose()


async def _of_server(url: str, api_key: str | None) -> list[LedgerRow]:
    from radixa.bench.client import connect

    found: list[LedgerRow] = []
    async with connect(url, api_key) as client:
        wish: dict[str, str | int] = {"include": "blocks", "limit": _PAGE, "account": "*"}
        while True:
            try:
                page = await client.get("/v1/usage", **wish)
            except CallFailed as error:
                if error.answered != 403 or "account" not in wish:
                    raise
                del wish["account"]
                continue
            found += [_row(entry) for entry in page["data"] if entry["blocks"]]
            if not page["has_more"]:
                return found[::-1]
            wish["before"] = page["data"][-1]["request_id"]


def _row(entry: dict[str, Any]) -> LedgerRow:
    known = {name: value for name, value in entry.items() if name in LedgerRow.__struct_fields__}
    return LedgerRow(**known | {"blocks": bytes.fromhex(entry["blocks"])})
