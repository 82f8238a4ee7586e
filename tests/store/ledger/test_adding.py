"""Adding rows leaves nothing of them in memory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import SqlStore
from tests.garbage import left_to_the_collector
from tests.store.ledger.rows import row


def test_no_row_waits_for_the_garbage_collector(store: SqlStore) -> None:
    ledger = SqlLedger(store.engine)
    # What is made once, and what is made for two rows as for many.
    ledger.add([row("req_0"), row("req_1")])
    with left_to_the_collector() as left:
        for batch in range(5):
            assert ledger.add([row(f"req_{batch}_{number}") for number in range(20)]) == 20
    assert [one for one in left if "req_" in repr(one)] == []


def test_what_rows_were_added_to_fills_no_cache(sqlite_store: SqlStore) -> None:
    engine, seen = sqlite_store.engine, []

    def cache(connection: Any) -> int:
        return int(connection.execute("PRAGMA cache_size").fetchone()[0])

    @event.listens_for(engine, "before_cursor_execute")
    def look(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO ledger"):
            seen.append(cache(cursor.connection))

    SqlLedger(engine).add([row("req_1")])
    event.remove(engine, "before_cursor_execute", look)
    with engine.connect() as connection:
        left = cache(connection.connection.dbapi_connection)
    assert seen == [-512]
    assert left == -2000
