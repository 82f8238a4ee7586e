"""The ledger at ten million rows: what adding costs, and how long `/v1/usage` takes.

    python benchmarks/ledger.py [--rows 10000000] [--url postgresql://…]

Fills an empty SQLite database in a temporary folder (4 GB for ten million rows), or the empty database that `--url`
names, with a month of requests of 100 accounts, the largest of which has a tenth of them. Rows are written in bulk and
their sums are made by the database; then 20 batches go the way that a server's take.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import msgspec
from sqlalchemy import BigInteger as Big
from sqlalchemy import Engine, cast, func, insert, literal, select

from radixa.core.config import StoreConfig
from radixa.gateway.ledger.report import report, wanted
from radixa.store.ledger.base import COUNTS, SUMS, LedgerRow, Query
from radixa.store.ledger.schema import DAY, ROLLUPS, ledger
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import open_store

ACCOUNTS, KEYS, MODELS, TURNS = 100, 2, 5, 8
"""Accounts; keys and models of each; requests a session."""
START = 1_793_491_200
"""1 November 2026."""
DAYS = 30
CHUNK = 50_000
BATCHES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--url", default="")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="radixa-ledger-") as folder:
        store = open_store(StoreConfig(url=chosen.url), Path(folder) / "radixa.db")
        try:
            measure(store.engine, chosen.rows)
        finally:
            store.close()


def measure(engine: Engine, count: int) -> None:
    book = SqlLedger(engine)
    if book.rows(Query(), limit=1):
        raise SystemExit("the database has a ledger already; name an empty one")
    started = time.perf_counter()
    fill(engine, count)
    print(f"{count:,} rows filled in {time.perf_counter() - started:.0f} s, in bulk: {gigabytes(engine):.2f} GB")
    add(book, count)
    largest = account(0)
    middle = f"{START + 9 * DAY + 1_234}.5", f"{START + 20 * DAY + 4_321}.5"
    for name, params in (
        ("newest 100 rows and totals", {}),
        ("newest 100 rows, times within hours", {"since": middle[0], "until": middle[1]}),
        ("by model", {"group_by": "model"}),
        ("by model, times within hours", {"group_by": "model", "since": middle[0], "until": middle[1]}),
        ("by key", {"group_by": "key"}),
        ("by day", {"group_by": "day"}),
        ("by account", {"group_by": "account"}),
        ("by session, one day", {"group_by": "session", "since": str(START + 9 * DAY), "until": str(START + 10 * DAY)}),
        ("by session, the month", {"group_by": "session"}),
    ):
        for who, owner in (("largest account", largest), ("all accounts", None)):
            print(f"{name:38} {who:16} {milliseconds(lambda p=params, o=owner: report(book, wanted(p), o)):10.1f} ms")
    print(f"{'spent by a key since a day':38} {'':16} {milliseconds(lambda: spent(book)):10.1f} ms")


def gigabytes(engine: Engine) -> float:
    """What the database takes on disk."""
    sqlite = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    postgres = "SELECT pg_database_size(current_database())"
    with engine.connect() as connection:
        size = connection.exec_driver_sql(sqlite if engine.dialect.name == "sqlite" else postgres).scalar_one()
    return int(size) / 1e9


def spent(book: SqlLedger) -> int:
    return book.spent(key_id=f"{account(0)}_key_0", since=START + 12 * DAY)


def milliseconds(ask: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    return median(taken) * 1e3


def account(number: int) -> str:
    return f"acct_{number:016x}"


def rows(count: int) -> Iterator[LedgerRow]:
    chance = random.Random(0)
    for at in range(count):
        yield made(chance, START + DAYS * DAY * at / count, at)


def made(chance: random.Random, created: float, at: int) -> LedgerRow:
    who = 0 if chance.random() < 0.1 else chance.randrange(1, ACCOUNTS)
    owner = account(who)
    prompt = chance.randrange(100, 8_000)
    cached = int(prompt * chance.random())
    return LedgerRow(
        request_id=f"req_{chance.getrandbits(128):032x}",
        created=created,
        account_id=owner,
        key_id=f"{owner}_key_{chance.randrange(KEYS)}",
        # A session's requests come close to each other.
        session_id=f"session {at // (ACCOUNTS * TURNS)}",
        model=f"model-{chance.randrange(MODELS)}",
        served_by="model",
        provider="openai",
        api="chat",
        prompt_tokens=prompt,
        cached_tokens=cached,
        completion_tokens=chance.randrange(10, 1_000),
        cost_nano_usd=(prompt - cached) * 2_000 + cached * 500,
        saved_nano_usd=cached * 1_500,
        ttft_ms=300.0,
        duration_ms=2_000.0,
    )


def fill(engine: Engine, count: int) -> None:
    chunk: list[dict[str, object]] = []
    with engine.connect() as connection:
        for row in rows(count):
            chunk.append(msgspec.structs.asdict(row))
            if len(chunk) == CHUNK:
                connection.execute(insert(ledger), chunk)
                connection.commit()
                chunk.clear()
        if chunk:
            connection.execute(insert(ledger), chunk)
        for table, width, names in ROLLUPS:
            # The remainder of whole seconds: a cast rounds in one database and cuts in the other.
            whole = cast(func.round(ledger.c.created - 0.5), Big)
            keys = [ledger.c.account_id, (whole - whole % literal(width, Big)).label("start")]
            keys += [ledger.c[name] for name in names]
            cost = ledger.c.cost_nano_usd
            sums = [
                func.count(),
                *(func.sum(ledger.c[name]) for name in COUNTS),
                func.sum(cost),
                func.sum(ledger.c.saved_nano_usd),
                func.count() - func.count(cost),
                func.count(ledger.c.ttft_ms),
                func.sum(cast(func.floor(ledger.c.ttft_ms * 1000), Big)),
                func.max(ledger.c.created),
            ]
            columns = ["account_id", "start", *names, *SUMS, "last"]
            connection.execute(insert(table).from_select(columns, select(*keys, *sums).group_by(*keys)))
        connection.commit()
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def add(book: SqlLedger, count: int) -> None:
    chance = random.Random(1)
    taken = []
    for _ in range(BATCHES):
        batch = [made(chance, START + DAYS * DAY + chance.random(), count) for _ in range(1_000)]
        started = time.perf_counter()
        assert book.add(batch) == 1_000
        taken.append(time.perf_counter() - started)
    print(f"a batch of 1,000 rows: {median(taken) * 1e3:.0f} ms, {1_000 / median(taken):,.0f} rows a second")


if __name__ == "__main__":
    main()
