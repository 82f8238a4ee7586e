"""The ledger and its sums."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

_ID = sa.String(128)
_NAME = sa.String(512)
_COUNTS = (
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "long_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "disk_tokens",
)
_SUMS = ("requests", *_COUNTS, "cost_nano_usd", "saved_nano_usd", "unknown_price_requests")


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("request_id", _ID, primary_key=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("key_id", _ID, nullable=False),
        sa.Column("session_id", _NAME, nullable=False),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("served_by", _NAME, nullable=False),
        sa.Column("provider", _NAME, nullable=False),
        sa.Column("api", sa.String(32), nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
        sa.Column("cost_nano_usd", sa.BigInteger, nullable=True),
        sa.Column("saved_nano_usd", sa.BigInteger, nullable=True),
        sa.Column("ttft_ms", sa.Double, nullable=True),
        sa.Column("duration_ms", sa.Double, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("fallback_from", _NAME, nullable=False),
        sa.Column("blocks", sa.LargeBinary, nullable=False),
    )
    op.create_index("ledger_by_account", "ledger", ["account_id", "created", "request_id"])
    op.create_index("ledger_by_time", "ledger", ["created", "request_id"])
    _sums("usage_days", sa.Column("key_id", _ID, primary_key=True), sa.Column("model", _NAME, primary_key=True))
    _sums("usage_hours", sa.Column("key_id", _ID, primary_key=True), sa.Column("model", _NAME, primary_key=True))
    _sums("session_hours", sa.Column("session_id", _NAME, primary_key=True))


def _sums(name: str, *keys: sa.Column[str]) -> None:
    op.create_table(
        name,
        sa.Column("account_id", _ID, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        *keys,
        *(sa.Column(field, sa.BigInteger, nullable=False) for field in _SUMS),
        sa.Column("last", sa.Double, nullable=False),
    )
    op.create_index(f"{name}_by_time", name, ["start"])


def downgrade() -> None:
    for name in ("session_hours", "usage_hours", "usage_days", "ledger"):
        op.drop_table(name)
