"""Scopes as rows of the database. All of it is synchronous, for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, bindparam, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from radixa.gateway.limits.scope import Scope
from radixa.store.schema import limit_processes, limit_scopes

pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Scope).decode
_EMPTY = pack(Scope())
_NOW = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")
_NEW = sqlite.insert(limit_scopes)
_SAVE = _NEW.on_conflict_do_update(
    index_elements=["scope"], set_={"state": _NEW.excluded.state, "updated": _NEW.excluded.updated}
)
"""Made once, since it is executed every second, and each one made is left to the garbage collector."""


def load(engine: Engine, since: int) -> dict[str, Scope]:
    """All scopes that were saved after `since`; the others are deleted."""
    with engine.begin() as connection:
        connection.execute(delete(limit_scopes).where(limit_scopes.c.updated <= since))
        rows = connection.execute(select(limit_scopes.c.scope, limit_scopes.c.state))
        return {name: _unpack(state) for name, state in rows}


def save(engine: Engine, packed: Sequence[tuple[str, bytes]], now: int) -> None:
    """Write scopes, new ones or changed ones."""
    with engine.begin() as connection:
        connection.execute(_SAVE, [{"scope": name, "state": state, "updated": now} for name, state in packed])


def make(engine: Engine, names: Sequence[str]) -> None:
    """Empty rows for scopes that have none, in a transaction that waits for nobody who waits for it."""
    statement = postgresql.insert(limit_scopes).on_conflict_do_nothing()
    with engine.begin() as connection:
        connection.execute(statement, [{"scope": name, "state": _EMPTY, "updated": 0} for name in sorted(names)])


def read(connection: Connection, names: Sequence[str], *, lock: bool) -> dict[str, Scope]:
    """Those of the scopes that have rows; `lock` holds them until the transaction ends, taken in one order by all."""
    query = select(limit_scopes.c.scope, limit_scopes.c.state).where(limit_scopes.c.scope.in_(names))
    if lock:
        query = query.order_by(limit_scopes.c.scope).with_for_update()
    return {name: _unpack(state) for name, state in connection.execute(query)}


def write(connection: Connection, scopes: Mapping[str, Scope], now: int) -> None:
    """Change rows that this transaction has locked."""
    statement = (
        update(limit_scopes)
        .where(limit_scopes.c.scope == bindparam("name"))
        .values(state=bindparam("packed"), updated=bindparam("now"))
    )
    rows: list[dict[str, Any]] = [{"name": n, "packed": pack(scope), "now": now} for n, scope in scopes.items()]
    connection.execute(statement, rows)


def clock(connection: Connection) -> int:
    """The database's time, in milliseconds since 1970: one clock for all processes."""
    return int(connection.execute(_NOW).scalar_one())


def alive(connection: Connection, since: int) -> set[str]:
    """The processes heard of after `since`."""
    return set(connection.execute(select(limit_processes.c.id).where(limit_processes.c.heartbeat > since)).scalars())


def beat(engine: Engine, process: str) -> int:
    """Say that `process` lives; returns the database's time."""
    statement = postgresql.insert(limit_processes)
    statement = statement.on_conflict_do_update(index_elements=["id"], set_={"heartbeat": statement.excluded.heartbeat})
    with engine.begin() as connection:
        now = clock(connection)
        connection.execute(statement, {"id": process, "heartbeat": now})
        return now


def leave(engine: Engine, process: str) -> None:
    """Forget `process`: what it held lapses at once."""
    with engine.begin() as connection:
        connection.execute(delete(limit_processes).where(limit_processes.c.id == process))


def bury(engine: Engine, before: int) -> None:
    """Forget processes not heard of since `before`, and scopes that nothing has counted in since then."""
    with engine.begin() as connection:
        connection.execute(delete(limit_processes).where(limit_processes.c.heartbeat < before))
        # Rows that somebody holds are passed over: a delete that waited could wait for who waits for it.
        old = select(limit_scopes.c.scope).where(limit_scopes.c.updated < before, limit_scopes.c.updated > 0)
        found = list(connection.execute(old.with_for_update(skip_locked=True)).scalars())
        if found:
            connection.execute(delete(limit_scopes).where(limit_scopes.c.scope.in_(found)))
