"""Collections of documents, and what finds words in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"

_ID = sa.String(64)
_NAME = sa.String(200)
_SQLITE = (
    """
    CREATE VIRTUAL TABLE passages_words USING fts5(
        heading, text, pairs, content='passages', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE VIRTUAL TABLE passages_parts USING fts5(
        heading, text, content='passages', content_rowid='id', tokenize='trigram'
    )
    """,
    """
    CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
        INSERT INTO passages_words(rowid, heading, text, pairs) VALUES (new.id, new.heading, new.text, new.pairs);
        INSERT INTO passages_parts(rowid, heading, text) VALUES (new.id, new.heading, new.text);
    END
    """,
    """
    CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
        INSERT INTO passages_words(passages_words, rowid, heading, text, pairs)
        VALUES ('delete', old.id, old.heading, old.text, old.pairs);
        INSERT INTO passages_parts(passages_parts, rowid, heading, text)
        VALUES ('delete', old.id, old.heading, old.text);
    END
    """,
)
_POSTGRES = (
    """
    CREATE INDEX passages_words ON passages
    USING gin (to_tsvector('simple', heading || ' ' || text || ' ' || pairs))
    """,
)


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("account_id", _ID, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("embedding", _NAME, nullable=True),
        sa.UniqueConstraint("account_id", "name", name="collections_once"),
    )
    op.create_table(
        "documents",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("collection_id", _ID, sa.ForeignKey("collections.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("characters", sa.BigInteger, nullable=False),
        sa.Column("passages", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("collection_id", "name", name="documents_once"),
    )
    op.create_table(
        "passages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("collection_id", _ID, sa.ForeignKey("collections.id"), nullable=False),
        sa.Column("document_id", _ID, sa.ForeignKey("documents.id"), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("heading", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("pairs", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("passages_by_document", "passages", ["document_id", "position"])
    op.create_index("passages_by_collection", "passages", ["collection_id"])
    connection = op.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("passages_parts")
        op.drop_table("passages_words")
    for name in ("passages", "documents", "collections"):
        op.drop_table(name)
