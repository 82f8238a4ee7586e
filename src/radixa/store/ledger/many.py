"""One statement for many rows, without what SQLAlchemy does for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql import ClauseElement


class Many:
    """An insert of every column of a table, as the driver takes it. Values are of the types that the driver knows."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._tuple = None if order is None else itemgetter(*order)

    def __call__(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
        """`rows` by the names of the columns; at least one."""
        connection.exec_driver_sql(self._sql, list(rows) if self._tuple is None else list(map(self._tuple, rows)))
