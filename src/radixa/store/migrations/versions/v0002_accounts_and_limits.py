"""Terms of keys, limits and credits of accounts, the audit log, and what counts towards limits.

Accounts that are there already go on as before: nothing limits them until somebody says so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

_ACCOUNT = ("rpm", "tpm", "concurrency", "credit_limit")
_KEY = ("expires", "rpm", "tpm", "concurrency", "budget_day", "budget_month", "budget_total")


def upgrade() -> None:
    for name in _ACCOUNT:
        op.add_column("accounts", sa.Column(name, sa.BigInteger, nullable=True))
    for name in _KEY:
        op.add_column("keys", sa.Column(name, sa.BigInteger, nullable=True))
    op.add_column("keys", sa.Column("models", sa.Text, nullable=True))
    op.add_column("keys", sa.Column("force_include_usage", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "credits",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=True),
        sa.UniqueConstraint("account_id", "idempotency_key", name="credits_once"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("actor_account", sa.String(64), nullable=False),
        sa.Column("actor_key", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("audit_by_account", "audit", ["account_id", "id"])
    op.create_table(
        "limit_scopes",
        sa.Column("scope", sa.String(400), primary_key=True),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "limit_processes",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("heartbeat", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("limit_processes", "limit_scopes", "audit", "credits"):
        op.drop_table(table)
    with op.batch_alter_table("keys") as keys:
        for name in (*_KEY, "models", "force_include_usage"):
            keys.drop_column(name)
    with op.batch_alter_table("accounts") as accounts:
        for name in _ACCOUNT:
            accounts.drop_column(name)
