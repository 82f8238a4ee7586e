"""The tables of documents, as SQLAlchemy Core sees them; `migrations/` is what makes them.

It also makes what finds words in them: on SQLite two FTS5 tables over `passages`, which triggers keep up to date, on
PostgreSQL an index.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from radixa.store.schema import metadata

ID = String(64)
NAME = String(200)
KIND = String(16)

collections = Table(
    "collections",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("embedding", NAME, nullable=True),
    UniqueConstraint("account_id", "name", name="collections_once"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", ID, primary_key=True),
    Column("collection_id", ID, ForeignKey("collections.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", KIND, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("characters", BigInteger, nullable=False),
    Column("passages", BigInteger, nullable=False),
    UniqueConstraint("collection_id", "name", name="documents_once"),
)

passages = Table(
    "passages",
    metadata,
    # Only an INTEGER is SQLite's own row id, which FTS5 refers to.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("collection_id", ID, ForeignKey("collections.id"), nullable=False),
    Column("document_id", ID, ForeignKey("documents.id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("heading", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("pairs", Text, nullable=False),
    Column("vector", LargeBinary, nullable=True),
    Index("passages_by_document", "document_id", "position"),
    Index("passages_by_collection", "collection_id"),
    sqlite_autoincrement=True,
)
"""`pairs`: what `words.pairs` makes of heading and text. Ids are not used twice: caches go by them."""
