"""The ledger's tables, as SQLAlchemy Core sees them; `migrations/` is what makes them.

`ledger` has the rows. The others have sums of them, by stretches of time that begin at `start`: a question about a
month reads some hundred sums and, where it begins or ends within an hour, the rows of that hour.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, String, Table

from radixa.store.ledger.base import COUNTS, SUMS
from radixa.store.schema import metadata

HOUR = 3_600
DAY = 86_400

ID = String(128)
NAME = String(512)

ledger = Table(
    "ledger",
    metadata,
    Column("request_id", ID, primary_key=True),
    Column("created", Double, nullable=False),
    Column("account_id", ID, nullable=False),
    Column("key_id", ID, nullable=False),
    Column("session_id", NAME, nullable=False),
    Column("model", NAME, nullable=False),
    Column("served_by", NAME, nullable=False),
    Column("provider", NAME, nullable=False),
    Column("api", String(32), nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
    Column("cost_nano_usd", BigInteger, nullable=True),
    Column("saved_nano_usd", BigInteger, nullable=True),
    Column("ttft_ms", Double, nullable=True),
    Column("duration_ms", Double, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("fallback_from", NAME, nullable=False),
    Column("blocks", LargeBinary, nullable=False),
    Index("ledger_by_account", "account_id", "created", "request_id"),
    Index("ledger_by_time", "created", "request_id"),
)


def _sums() -> list[Column[object]]:
    return [*(Column(name, BigInteger, nullable=False) for name in SUMS), Column("last", Double, nullable=False)]


def _by_model(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("account_id", ID, primary_key=True),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        Column("key_id", ID, primary_key=True),
        Column("model", NAME, primary_key=True),
        *_sums(),
        Index(f"{name}_by_time", "start"),
    )


usage_days = _by_model("usage_days")
usage_hours = _by_model("usage_hours")
session_hours = Table(
    "session_hours",
    metadata,
    Column("account_id", ID, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("session_id", NAME, primary_key=True),
    *_sums(),
    Index("session_hours_by_time", "start"),
)

ROLLUPS: tuple[tuple[Table, int, tuple[str, ...]], ...] = (
    (usage_days, DAY, ("key_id", "model")),
    (usage_hours, HOUR, ("key_id", "model")),
    (session_hours, HOUR, ("session_id",)),
)
"""Each table of sums: the seconds of a stretch, and what it tells apart within an account."""
