"""The questions put to the ledger, as SQL.

Each is one statement, so that it sees one moment of the database: sums over whole days and hours, and over single rows
where the time asked for begins or ends within an hour, all put together by the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    case,
    cast,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)

from radixa.store.ledger.base import COUNTS, SUMS, GroupBy, Query
from radixa.store.ledger.schema import DAY, HOUR, ledger, session_hours, usage_days, usage_hours
from radixa.store.ledger.windows import Window, windows

_BY_MODEL: dict[int, Table] = {DAY: usage_days, HOUR: usage_hours}
_BY_SESSION: dict[int, Table] = {HOUR: session_hours}
_BARE = [column for column in ledger.c if column.name != "blocks"]


def totals(query: Query) -> Select[Any]:
    """One row: `SUMS`."""
    parts = [_part(query, window, table, []) for window, table in _sources(query, _BY_MODEL)]
    columns = _outer_sums(union_all(*parts).subquery()) if parts else [literal(0).label(name) for name in SUMS]
    found: Select[Any] = select(*columns)
    return found


def groups(query: Query, by: GroupBy, limit: int, near: int | None = None) -> Select[Any] | None:
    """Rows of `key`, `account_id`, `SUMS` and `last`; None where no time was asked for.

    `near`, of sessions: a time since which at least `limit` of them had requests, so that only the newest are added up.
    """
    tables = _BY_SESSION if by == "session" else _BY_MODEL
    among = None if near is None else _newest_sessions(query, near, limit).cte("newest_sessions")
    parts = []
    for window, table in _sources(query, tables):
        owner = table.c.account_id if by == "session" and query.account_id is None else literal("")
        key = _key(by, window, table)
        # What is the same for the whole window is none to group by, and its sums are there even over nothing.
        grouped = [column for column in (key, owner) if isinstance(column, Column)]
        part = _part(query, window, table, [key.label("key"), owner.label("account_id")])
        if among is not None:
            part = part.where(tuple_(table.c.account_id, table.c.session_id).in_(select(among)))
        parts.append(part.group_by(*grouped))
    if not parts:
        return None
    found = union_all(*parts).subquery()
    last = func.max(found.c.last).label("last")
    return (
        select(found.c.key, found.c.account_id, *_outer_sums(found), last)
        .where(found.c.requests > 0)
        .group_by(found.c.key, found.c.account_id)
        .order_by(last.desc(), found.c.key, found.c.account_id)
        .limit(limit)
    )


def newest(query: Query) -> Select[Any]:
    """The time of the newest request."""
    return select(func.max(ledger.c.created)).where(_matches(query, ledger, ledger.c.created, query.since, query.until))


def sessions(query: Query, near: int) -> Select[Any]:
    """How many had requests in the whole hours since `near`, the beginning of one."""
    table = session_hours
    until = None if query.until is None else query.until - HOUR
    found = _matches(query, table, table.c.start, near, None)
    if until is not None:
        found &= table.c.start <= until
    return select(func.count()).select_from(
        select(table.c.account_id, table.c.session_id).where(found).distinct().subquery()
    )


def _newest_sessions(query: Query, near: int, limit: int) -> Select[Any]:
    """The account and the id of the `limit` sessions with the newest requests, all since `near`."""
    parts = []
    for window, table in _sources(msgspec.structs.replace(query, since=near), _BY_SESSION):
        keys = [table.c.account_id, table.c.session_id]
        parts.append(_part(query, window, table, keys, sums=False).group_by(*keys))
    found = union_all(*parts).subquery()
    return (
        select(found.c.account_id, found.c.session_id)
        .group_by(found.c.account_id, found.c.session_id)
        .order_by(func.max(found.c.last).desc(), found.c.session_id, found.c.account_id)
        .limit(limit)
    )


def rows(query: Query, limit: int, before: tuple[float, str] | None, blocks: bool) -> Select[Any]:
    """Newest first; `before` is the time and the id of the row before the first."""
    columns = ledger.c if blocks else _BARE
    found = select(*columns).where(_matches(query, ledger, ledger.c.created, query.since, query.until))
    if before is not None:
        found = found.where(tuple_(ledger.c.created, ledger.c.request_id) < tuple_(*before))
    return found.order_by(ledger.c.created.desc(), ledger.c.request_id.desc()).limit(limit)


def with_blocks(limit: int, after: tuple[float, str] | None) -> Select[Any]:
    """Oldest first, those whose blocks are known."""
    found = select(ledger).where(ledger.c.blocks != b"")
    if after is not None:
        found = found.where(tuple_(ledger.c.created, ledger.c.request_id) > tuple_(*after))
    return found.order_by(ledger.c.created, ledger.c.request_id).limit(limit)


def _sources(query: Query, tables: dict[int, Table]) -> list[tuple[Window, Table]]:
    found = windows(query.since, query.until, list(tables))
    return [(window, tables.get(window.width, ledger)) for window in found]


def _part(
    query: Query, window: Window, table: Table, keys: Sequence[ColumnElement[Any]], *, sums: bool = True
) -> Select[Any]:
    """Of one window of a table: `keys`, `SUMS` if wanted, and `last`."""
    time = ledger.c.created if table is ledger else table.c.start
    last = ledger.c.created if table is ledger else table.c.last
    added: list[ColumnElement[Any]] = []
    if sums:
        added = _sums_of_rows() if table is ledger else [func.sum(table.c[name]).label(name) for name in SUMS]
    return select(*keys, *added, func.max(last).label("last")).where(
        _matches(query, table, time, window.low, window.high)
    )


def _sums_of_rows() -> list[ColumnElement[Any]]:
    cost, ttft_ms = ledger.c.cost_nano_usd, ledger.c.ttft_ms
    # SQLAlchemy gives SQLite Python's floor, which raises for NULL.
    ttft_us = case((ttft_ms.is_not(None), cast(func.floor(ttft_ms * 1000), BigInteger)))
    return [
        func.count().label("requests"),
        *(func.sum(ledger.c[name]).label(name) for name in COUNTS),
        func.coalesce(func.sum(cost), 0).label("cost_nano_usd"),
        func.coalesce(func.sum(ledger.c.saved_nano_usd), 0).label("saved_nano_usd"),
        (func.count() - func.count(cost)).label("unknown_price_requests"),
        func.count(ttft_ms).label("timed_requests"),
        func.coalesce(func.sum(ttft_us), 0).label("ttft_us"),
    ]


def _outer_sums(found: FromClause) -> list[ColumnElement[Any]]:
    return [cast(func.coalesce(func.sum(found.c[name]), 0), BigInteger).label(name) for name in SUMS]


def _matches(
    query: Query, table: Table, time: ColumnElement[Any], low: float | None, high: float | None
) -> ColumnElement[bool]:
    found: ColumnElement[bool] = true()
    if query.account_id is not None:
        found &= table.c.account_id == query.account_id
    if query.key_id is not None:
        found &= table.c.key_id == query.key_id
    if low is not None:
        found &= time >= low
    if high is not None:
        found &= time < high
    return found


def _key(by: GroupBy, window: Window, table: Table) -> ColumnElement[Any]:
    if by != "day":
        return table.c[{"model": "model", "key": "key_id", "session": "session_id", "account": "account_id"}[by]]
    if window.width == DAY:
        return table.c.start
    assert window.low is not None  # only the windows of days have no end
    return literal(int(window.low // DAY) * DAY, BigInteger)
