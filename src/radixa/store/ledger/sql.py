"""The ledger's rows and their sums over SQLAlchemy Core, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import floor
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Engine, Table, bindparam, case, insert, select
from sqlalchemy.exc import DataError, IntegrityError

from radixa.core.errors import NotFound, RowsRefused, shown
from radixa.store.database import insert_or
from radixa.store.ledger import queries
from radixa.store.ledger.base import COUNTS, SUMS, Group, GroupBy, LedgerRow, Query, Totals
from radixa.store.ledger.many import Many
from radixa.store.ledger.schema import HOUR, ROLLUPS, ledger

_PAGE = 1_000
_NEAR_HOURS = (1, 4, 16, 64, 256)
"""How far back it is looked for as many sessions as are asked for, before all are added up."""
_KNOWN = select(ledger.c.request_id).where(ledger.c.request_id.in_(bindparam("offered", expanding=True)))
"""Made once: a statement is a ring of objects, and one that has its values in it keeps them until the garbage collector
comes, which counts objects and not how large they are."""
_ADDING = ("PRAGMA synchronous=FULL", "PRAGMA cache_size=-512")
_ASKED = ("PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-2000")
"""Of SQLite, while rows are added and while it answers. Pages that rows were added to are not asked for soon, and would
fill the cache, in KiB, of each connection that it was done with."""


class SqlLedger:
    """The ledger in the database of `engine`, which `store.database.connect` opened.

    Methods are synchronous, for threads, of which several may call at once; each sees one moment of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._insert = Many(insert(ledger), engine.dialect)
        self._upserts = [Many(_upsert(table, engine.dialect), engine.dialect) for table, _, _ in ROLLUPS]

    def add(self, rows: Sequence[LedgerRow]) -> int:
        """Keep `rows` and add them to the sums, all or none. How many were new: one that was there is passed over.

        RowsRefused where the database can never take one of them; SQLAlchemyError where it cannot now.
        """
        if not rows:
            return 0
        offered = {row.request_id: row for row in reversed(rows)}
        try:
            try:
                return self._add(offered)
            except IntegrityError:
                # Another process added one of them just now. If that was not it, it fails again.
                return self._add(offered)
        except (DataError, IntegrityError, OverflowError, UnicodeError) as error:
            raise RowsRefused(f"The database does not take a row of the ledger: {error}") from error

    def _add(self, offered: dict[str, LedgerRow]) -> int:
        with self._durable() as connection:
            known = connection.scalars(_KNOWN, {"offered": list(offered)})
            # In one order, so that two processes that add at once wait for each other and never in a circle.
            new = [offered[request_id] for request_id in sorted(offered.keys() - set(known))]
            if new:
                self._insert(connection, map(msgspec.structs.asdict, new))
                parts = [(row, _parts(row)) for row in new]
                for (_, width, names), upsert in zip(ROLLUPS, self._upserts, strict=True):
                    upsert(connection, _sums(parts, width, names))
            connection.commit()
        return len(new)

    def rows(self, query: Query, *, limit: int, before: str | None = None, blocks: bool = False) -> list[LedgerRow]:
        """Newest first, at most `limit`; without the names of blocks, unless `blocks`.

        `before`: only those older than the row of that id. NotFound where the query's account has no such row.
        """
        with self._engine.connect() as connection:
            start = None if before is None else _place(connection, query, before)
            found = connection.execute(queries.rows(query, limit, start, blocks)).mappings()
            return [LedgerRow(**row) for row in found]

    def totals(self, query: Query) -> Totals:
        with self._engine.connect() as connection:
            return Totals(**connection.execute(queries.totals(query)).mappings().one())

    def groups(self, query: Query, by: GroupBy, *, limit: int) -> list[Group]:
        """The one with the newest request first, at most `limit`."""
        with self._engine.connect() as connection:
            near = _near(connection, query, limit) if by == "session" else None
            wanted = queries.groups(query, by, limit, near)
            if wanted is None:
                return []
            return [
                Group(row["key"], row["account_id"], Totals(**{name: row[name] for name in SUMS}), row["last"])
                for row in connection.execute(wanted).mappings()
            ]

    def spent(self, *, account_id: str | None = None, key_id: str | None = None, since: float | None = None) -> int:
        """Nano-dollars of an account, or of a key, since a time or in all; unknown prices count nothing."""
        return self.totals(Query(account_id, key_id, since)).cost_nano_usd

    def blocks(self) -> Iterator[LedgerRow]:
        """The rows whose prompts' blocks are known, oldest first, a page at a time, with `blocks`."""
        after = None
        while True:
            with self._engine.connect() as connection:
                page = connection.execute(queries.with_blocks(_PAGE, after)).mappings().all()
            for row in page:
                yield LedgerRow(**row)
            if len(page) < _PAGE:
                return
            after = (page[-1]["created"], page[-1]["request_id"])

    @contextmanager
    def _durable(self) -> Iterator[Connection]:
        """A connection whose commits survive the machine's death: whoever adds rows then drops its own copy of them."""
        with self._engine.connect() as connection:
            if not self._sqlite:
                yield connection
                return
            for pragma in _ADDING:
                connection.exec_driver_sql(pragma)
            try:
                yield connection
            finally:
                connection.rollback()
                for pragma in _ASKED:
                    connection.exec_driver_sql(pragma)


def _near(connection: Connection, query: Query, limit: int) -> int | None:
    """The beginning of an hour since which at least `limit` sessions had requests; None where all have to be looked at.

    Requests may come while it is looked for: that makes them more, never fewer.
    """
    newest = connection.scalar(queries.newest(query))
    if newest is None:
        return None
    for hours in _NEAR_HOURS:
        near = int(newest // HOUR - hours) * HOUR
        if query.since is not None and near <= query.since:
            return None
        if connection.execute(queries.sessions(query, near)).scalar_one() >= limit:
            return near
    return None


def _upsert(table: Table, dialect: Dialect) -> Any:
    added = insert_or(table, dialect)
    more = {name: table.c[name] + added.excluded[name] for name in SUMS}
    last = case((added.excluded.last > table.c.last, added.excluded.last), else_=table.c.last)
    return added.on_conflict_do_update(index_elements=list(table.primary_key), set_={**more, "last": last})


def _sums(
    rows: Iterable[tuple[LedgerRow, tuple[int, ...]]], width: int, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """What rows, each with its parts, add to the stretches of `width` seconds, in the order of their keys."""
    found: defaultdict[tuple[Any, ...], list[tuple[LedgerRow, tuple[int, ...]]]] = defaultdict(list)
    for row, parts in rows:
        key = (row.account_id, int(row.created // width) * width, *(getattr(row, name) for name in names))
        found[key].append((row, parts))
    columns = ("account_id", "start", *names, *SUMS, "last")
    sums = []
    for key in sorted(found):
        added = map(sum, zip(*(parts for _, parts in found[key]), strict=True))
        last = max(row.created for row, _ in found[key])
        sums.append(dict(zip(columns, (*key, *added, last), strict=True)))
    return sums


def _parts(row: LedgerRow) -> tuple[int, ...]:
    """What one row adds to each of `SUMS`."""
    counts = (getattr(row, name) for name in COUNTS)
    amounts = (row.cost_nano_usd or 0, row.saved_nano_usd or 0, int(row.cost_nano_usd is None))
    timed = (0, 0) if row.ttft_ms is None else (1, floor(row.ttft_ms * 1000))
    return (1, *counts, *amounts, *timed)


def _place(connection: Connection, query: Query, request_id: str) -> tuple[float, str]:
    """Where the row of that id stands in time."""
    found = select(ledger.c.created).where(ledger.c.request_id == request_id)
    if query.account_id is not None:
        found = found.where(ledger.c.account_id == query.account_id)
    created = connection.execute(found).scalar()
    if created is None:
        raise NotFound(f"There is no request '{shown(request_id)}' in this account's usage.", param="before")
    return created, request_id
