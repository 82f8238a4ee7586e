"""Saving the limits, every second, leaves nothing in memory."""

from __future__ import annotations

from radixa.gateway.limits.rows import pack, save
from radixa.gateway.limits.scope import Scope
from radixa.store.sql import SqlStore
from tests.garbage import left_to_the_collector


def test_saving_leaves_no_garbage(sqlite_store: SqlStore) -> None:
    save(sqlite_store.engine, [("account:1", pack(Scope()))], 0)
    with left_to_the_collector() as left:
        for second in range(5):
            save(sqlite_store.engine, [("account:1", pack(Scope()))], second)
    assert [one for one in left if type(one).__module__.startswith("sqlalchemy")] == []
