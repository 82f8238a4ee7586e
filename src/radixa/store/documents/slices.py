"""Passages are put in and taken out some at a time, each lot in a transaction of its own.

What finds words makes writing them slow, and SQLite has one writer at a time: a long document in one transaction would
keep keys and the ledger waiting for longer than they do. Until all is in its place, or gone, the document or collection
has a name that nobody can give, and nothing of it is found or listed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, insert, literal, select, update

from radixa.store.documents.schema import collections, documents, passages

SLICE = 100
"""Passages at a time: about 0.1 s."""
_REST = 0.25
"""Between two lots a thread waits for this part of what the last one took, so that others find the database free."""


AWAY = " "
"""Begins the name of what is not in its place, its id follows. No name that is given begins with a space."""


def away(table: Table) -> ColumnElement[Any]:
    return literal(AWAY) + table.c.id


def in_place(table: Table) -> ColumnElement[bool]:
    return table.c.name != away(table)


def hold(connection: Connection, collection_id: str) -> bool:
    """Whoever changes the collection at the same time waits from here on; False where it is gone."""
    held = update(collections).where(collections.c.id == collection_id, in_place(collections))
    return bool(connection.execute(held.values(name=collections.c.name)).rowcount)


def put_in(engine: Engine, collection_id: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """False where the collection went meanwhile, and what was put in with it."""
    for start in range(0, len(rows), SLICE):
        with _lot(engine) as connection:
            if not hold(connection, collection_id):
                return False
            connection.execute(insert(passages), rows[start : start + SLICE])
    return True


def take_out(engine: Engine, document_ids: Sequence[str]) -> None:
    """Documents that are away, with their passages. Two may do it at once."""
    for one in document_ids:
        _without_passages(engine, passages.c.document_id == one)
        with engine.begin() as connection:
            connection.execute(delete(documents).where(documents.c.id == one))


def take_out_collection(engine: Engine, collection_id: str) -> None:
    """One that is away, with all that is in it."""
    _without_passages(engine, passages.c.collection_id == collection_id)
    with engine.begin() as connection:
        connection.execute(delete(documents).where(documents.c.collection_id == collection_id))
        connection.execute(delete(collections).where(collections.c.id == collection_id))


def _without_passages(engine: Engine, those: ColumnElement[bool]) -> None:
    some = select(passages.c.id).where(those).limit(SLICE)
    found = True
    while found:
        with _lot(engine) as connection:
            found = bool(connection.execute(delete(passages).where(passages.c.id.in_(some))).rowcount)


@contextmanager
def _lot(engine: Engine) -> Iterator[Connection]:
    start = time.perf_counter()
    with engine.begin() as connection:
        yield connection
    if engine.dialect.name == "sqlite":
        time.sleep((time.perf_counter() - start) * _REST)
