"""The sums have times to the first token too; those of rows that are there already are added up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"

_TABLES = (("usage_days", 86_400, ("key_id", "model")), ("usage_hours", 3_600, ("key_id", "model")),
           ("session_hours", 3_600, ("session_id",)))  # fmt: skip
_NEW = ("timed_requests", "ttft_us")


def upgrade() -> None:
    for table, width, names in _TABLES:
        for name in _NEW:
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
        keys = ", ".join(("account_id", *names))
        same = " AND ".join(f"{table}.{name} = found.{name}" for name in ("account_id", "start", *names))
        # No value comes from outside.
        op.execute(
            f"UPDATE {table} SET timed_requests = found.timed, ttft_us = found.us FROM ("  # noqa: S608
            f"SELECT {keys}, CAST(floor(created / {width}) AS BIGINT) * {width} AS start, count(*) AS timed, "
            f"sum(CAST(floor(ttft_ms * 1000) AS BIGINT)) AS us FROM ledger WHERE ttft_ms IS NOT NULL "
            f"GROUP BY {keys}, CAST(floor(created / {width}) AS BIGINT) * {width}) AS found WHERE {same}"
        )


def downgrade() -> None:
    for table, _, _ in _TABLES:
        with op.batch_alter_table(table) as batch:
            for name in _NEW:
                batch.drop_column(name)
