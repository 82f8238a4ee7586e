"""The tables, as SQLAlchemy Core sees them. `migrations/` is what makes them; a test holds the two equal."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
    Column("rpm", BigInteger, nullable=True),
    Column("tpm", BigInteger, nullable=True),
    Column("concurrency", BigInteger, nullable=True),
    Column("credit_limit", BigInteger, nullable=True),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("accounts.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger, nullable=True),
    Column("expires", BigInteger, nullable=True),
    Column("models", Text, nullable=True),
    Column("rpm", BigInteger, nullable=True),
    Column("tpm", BigInteger, nullable=True),
    Column("concurrency", BigInteger, nullable=True),
    Column("budget_day", BigInteger, nullable=True),
    Column("budget_month", BigInteger, nullable=True),
    Column("budget_total", BigInteger, nullable=True),
    Column("force_include_usage", Boolean, nullable=False, server_default=false()),
    Index("keys_by_account", "account_id"),
)
"""`models` is a JSON array; budgets are nano-dollars."""

credits_ = Table(
    "credits",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", String(64), ForeignKey("accounts.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("note", String(200), nullable=False),
    Column("idempotency_key", String(200), nullable=True),
    UniqueConstraint("account_id", "idempotency_key", name="credits_once"),
)
"""Append-only; amounts are nano-dollars."""

audit = Table(
    "audit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("actor_account", String(64), nullable=False),
    Column("actor_key", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("account_id", String(64), nullable=False),
    Column("details", Text, nullable=False),
    Index("audit_by_account", "account_id", "id"),
)
"""Append-only; `details` is a JSON object. No foreign keys: what was done stays, whatever becomes of its target."""

limit_scopes = Table(
    "limit_scopes",
    metadata,
    Column("scope", String(400), primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("updated", BigInteger, nullable=False),
)
"""What counts towards limits, as `gateway.limits` packs it; `updated` is milliseconds since 1970."""

limit_processes = Table(
    "limit_processes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("heartbeat", BigInteger, nullable=False),
)
"""Gateways that share one database, and when each was last heard of, in its milliseconds since 1970."""
