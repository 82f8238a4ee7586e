"""Collections, documents and passages over SQLAlchemy Core. What a method changes is seen as a whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from radixa.core.errors import Conflict, InvalidRequest, NotFound, shown
from radixa.store.documents import find
from radixa.store.documents.base import (
    MOST_COLLECTIONS,
    MOST_DOCUMENTS,
    MOST_PASSAGES,
    Collection,
    Document,
    NewPassage,
    Passage,
)
from radixa.store.documents.schema import collections, documents, passages
from radixa.store.documents.slices import AWAY, away, hold, in_place, put_in, take_out, take_out_collection
from radixa.store.documents.vectors import by_vector
from radixa.store.documents.words import pairs
from radixa.store.names import LONGEST_NAME, new_id

LONGEST_DOCUMENT_NAME = 500
LEFT_S = 86_400
"""Nobody takes so long to add a document: after that, what is not in its place is left behind by somebody who died."""


class SqlDocuments:
    """Documents in the database of `engine`, which `store.database.connect` opened.

    Methods are synchronous, for threads, of which several may call at once. NotFound where an account has no such
    collection; whose it is, is in every question.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, account_id: str, name: str, embedding: str | None = None) -> Collection:
        """A new collection, whose passages get vectors of the model `embedding`. Conflict where the name is taken,
        InvalidRequest where it cannot be one, or the account has too many."""
        _check_name(name, "name", LONGEST_NAME, slashes=False)
        collection = Collection(new_id("col_"), account_id, name, int(time.time()), embedding, 0, 0, 0)
        values = {key: getattr(collection, key) for key in ("id", "account_id", "name", "created", "embedding")}
        try:
            with self._engine.begin() as connection:
                held = (
                    select(func.count())
                    .select_from(collections)
                    .where(collections.c.account_id == account_id, in_place(collections))
                )
                if connection.execute(held).scalar_one() >= MOST_COLLECTIONS:
                    raise InvalidRequest(
                        f"This account has {MOST_COLLECTIONS} collections, as many as it may have: remove one first.",
                        param="name",
                        code="too_many_collections",
                    )
                connection.execute(insert(collections).values(values))
        except IntegrityError as error:
            raise Conflict(f"There is a collection '{shown(name)}' already.", param="name") from error
        return collection

    def collections(self, account_id: str) -> list[Collection]:
        """By name."""
        with self._engine.connect() as connection:
            rows = connection.execute(_counted().where(collections.c.account_id == account_id, in_place(collections)))
            return sorted((_collection(row) for row in rows.mappings()), key=lambda one: one.name)

    def collection(self, account_id: str, name: str) -> Collection:
        with self._engine.connect() as connection:
            return _named(connection, account_id, name)

    def remove(self, account_id: str, name: str) -> Collection:
        """The collection as it was, now gone with all that was in it."""
        with self._engine.begin() as connection:
            found = _named(connection, account_id, name)
            away_now = update(collections).where(collections.c.id == found.id, in_place(collections))
            if not connection.execute(away_now.values(name=away(collections))).rowcount:
                raise _missing(name)
            # With it those that somebody died over.
            ours = (collections.c.account_id == account_id, ~in_place(collections))
            gone = connection.execute(select(collections.c.id).where(*ours)).scalars().all()
        for one in gone:
            take_out_collection(self._engine, one)
        return found

    def documents(self, collection_id: str) -> list[Document]:
        """By name."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(documents).where(documents.c.collection_id == collection_id, in_place(documents))
            )
            return sorted((_document(row) for row in rows.mappings()), key=lambda one: one.name)

    def add(self, collection: Collection, name: str, kind: str, pieces: Sequence[NewPassage]) -> Document:
        """Keep a document's passages in place of those of an earlier one of that name.

        InvalidRequest where the name cannot be one, or the collection would hold too much.
        """
        _check_name(name, "name", LONGEST_DOCUMENT_NAME, slashes=True)
        characters = sum(len(piece.text) for piece in pieces)
        document = Document(new_id("doc_"), name, kind, int(time.time()), characters, len(pieces))
        self._sweep(collection.id)
        with self._engine.begin() as connection:
            if not hold(connection, collection.id):
                raise _missing(collection.name)
            _check_room(connection, collection, name, len(pieces))
            values = {key: getattr(document, key) for key in Document.__slots__}
            connection.execute(
                insert(documents).values(values | {"name": AWAY + document.id, "collection_id": collection.id})
            )
        rows = [
            {
                "collection_id": collection.id,
                "document_id": document.id,
                "position": position,
                "heading": piece.heading,
                "text": piece.text,
                "pairs": pairs(f"{piece.heading} {piece.text}"),
                "vector": piece.vector,
            }
            for position, piece in enumerate(pieces)
        ]
        if not put_in(self._engine, collection.id, rows):
            raise _missing(collection.name)
        with self._engine.begin() as connection:
            if not hold(connection, collection.id):
                raise _missing(collection.name)
            earlier = _put_away(connection, collection.id, documents.c.name == name)
            connection.execute(update(documents).where(documents.c.id == document.id).values(name=name))
        take_out(self._engine, [one.id for one in earlier])
        return document

    def remove_document(self, account_id: str, collection: str, name: str) -> Document:
        """The document as it was. NotFound where the collection has none of that name or id."""
        with self._engine.begin() as connection:
            held = _named(connection, account_id, collection)
            found: list[Document] = []
            # Not every database takes a question for what it cannot keep.
            for column in (documents.c.name, documents.c.id) if name.isprintable() else ():
                found = found or _put_away(connection, held.id, column == name)
        if not found:
            raise NotFound(f"The collection '{shown(collection)}' has no document '{shown(name)}'.", param="document")
        take_out(self._engine, [one.id for one in found])
        return found[0]

    def _sweep(self, collection_id: str) -> None:
        """Take out the documents that somebody died over."""
        left = (documents.c.collection_id == collection_id, ~in_place(documents))
        with self._engine.connect() as connection:
            wanted = select(documents.c.id).where(*left, documents.c.created < time.time() - LEFT_S)
            found = connection.execute(wanted).scalars().all()
        take_out(self._engine, found)

    def rankings(self, collection: Collection, query: str, vector: bytes | None, most: int) -> list[list[int]]:
        """Ids of passages for a query, best first: by words, by parts of words, and by `vector` where it is given."""
        with self._engine.connect() as connection:
            found = [
                find.by_words(connection, collection.id, query, most),
                find.by_parts(connection, collection.id, query, most),
            ]
            if vector is not None:
                found.append(by_vector(connection, collection.id, vector, most))
            return found

    def passages(self, ids: Sequence[int]) -> list[Passage]:
        """Those that are still there, in the order of `ids`."""
        columns = (passages.c.id, documents.c.name, passages.c.position, passages.c.heading, passages.c.text)
        wanted = select(*columns).join(documents, documents.c.id == passages.c.document_id)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.where(passages.c.id.in_(ids)))
            found = {row.id: Passage(*row) for row in rows}
        return [found[one] for one in ids if one in found]


def _counted() -> Select[Any]:
    """Collections with what they hold."""
    sums = [func.coalesce(func.sum(documents.c[name]), 0).label(name) for name in ("passages", "characters")]
    return (
        select(collections, func.count(documents.c.id).label("documents"), *sums)
        .outerjoin(documents, (documents.c.collection_id == collections.c.id) & in_place(documents))
        .group_by(collections.c.id)
    )


def _named(connection: Connection, account_id: str, name: str) -> Collection:
    wanted = _counted().where(collections.c.account_id == account_id, collections.c.name == name, in_place(collections))
    row = connection.execute(wanted).mappings().one_or_none() if name.isprintable() else None
    if row is None:
        raise _missing(name)
    return _collection(row)


def _missing(name: str) -> NotFound:
    return NotFound(
        f"There is no collection '{shown(name)}'. `radixa docs add {shown(name)} FILE` makes one.",
        param="name",
        code="collection_not_found",
    )


def _collection(row: Any) -> Collection:
    # A database server sums whole numbers as decimals.
    return Collection(**{**row, "passages": int(row["passages"]), "characters": int(row["characters"])})


def _document(row: Any) -> Document:
    return Document(*(row[key] for key in Document.__slots__))


def _put_away(connection: Connection, collection_id: str, those: ColumnElement[bool]) -> list[Document]:
    """The documents as they were, which nobody finds any more."""
    ours = (documents.c.collection_id == collection_id, in_place(documents), those)
    found = [_document(row) for row in connection.execute(select(documents).where(*ours)).mappings()]
    connection.execute(update(documents).where(*ours).values(name=away(documents)))
    return found


def _check_room(connection: Connection, collection: Collection, name: str, more: int) -> None:
    """Room for a document in place of an earlier one; those that come in at the same time count too."""
    sums = (func.count(), func.coalesce(func.sum(documents.c.passages), 0))
    others = (documents.c.collection_id == collection.id, documents.c.name != name)
    number, held = connection.execute(select(*sums).where(*others)).one()
    for kind, then, most in (("documents", number + 1, MOST_DOCUMENTS), ("passages", held + more, MOST_PASSAGES)):
        if then > most:
            raise InvalidRequest(
                f"The collection '{shown(collection.name)}' would have {then} {kind}. Expected at most {most}: put "
                "them into another one.",
                param="documents",
                code="collection_full",
            )


def _check_name(name: str, field: str, longest: int, *, slashes: bool) -> None:
    """What every database can keep, and a path of the API can hold."""
    printable = all(sign.isprintable() for sign in name) and name.strip() == name
    # Clients take a path's `.` and `..` for folders.
    in_path = slashes or ("/" not in name and name not in (".", ".."))
    if not 1 <= len(name) <= longest or not printable or not in_path:
        without = "" if slashes else ", without a slash, not '.' or '..'"
        raise InvalidRequest(
            f"Invalid '{field}': '{shown(name)}'. Expected 1 to {longest} printable characters{without}, none of them "
            "a space at its beginning or end.",
            param=field,
            code="invalid_value",
        )
