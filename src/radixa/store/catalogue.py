"""Models of the catalogue that administrators changed while a server ran, as JSON by id."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import BigInteger, Column, Connection, Engine, String, Table, Text, delete, select
from sqlalchemy.exc import SQLAlchemyError

from radixa.core.errors import StoreUnavailable
from radixa.store import audit
from radixa.store.base import Actor
from radixa.store.database import insert_or, reason
from radixa.store.schema import metadata

models = Table(
    "models",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("entry", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
"""`entry` is a JSON object."""

_TARGET = 64
"""Characters of an id that the audit log keeps as an act's target; its details have all of it."""


class SqlModels:
    """Entries in the database of `engine`. Each change is in the audit log, in the same transaction.

    StoreUnavailable where the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def models(self) -> dict[str, str]:
        """Every entry, by id and in its order."""
        with self._connected() as connection:
            rows = connection.execute(select(models.c.id, models.c.entry).order_by(models.c.id))
            return {row.id: row.entry for row in rows}

    def put_model(self, model_id: str, entry: str, *, by: Actor) -> None:
        with self._connected() as connection:
            values = {"entry": entry, "changed": int(time.time())}
            put = insert_or(models, self._engine.dialect).values(id=model_id, **values)
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=values))
            self._note(connection, by, "model.put", model_id, entry=entry)

    def remove_model(self, model_id: str, *, by: Actor) -> bool:
        """Whether it was there."""
        with self._connected() as connection:
            found = connection.execute(delete(models).where(models.c.id == model_id)).rowcount
            if found:
                self._note(connection, by, "model.remove", model_id)
            return bool(found)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"The database with the catalogue does not answer: {reason(error)}") from error

    @staticmethod
    def _note(connection: Connection, by: Actor, action: str, model_id: str, **details: str) -> None:
        audit.add(connection, by, action, model_id[:_TARGET], by.account_id, model=model_id, **details)
