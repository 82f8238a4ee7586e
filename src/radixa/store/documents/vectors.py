"""Passages by the angle between their vector and the query's: by `sqlite-vec` where it is installed and the interpreter
lets SQLite load it, else by numpy, which gives the same order."""

from __future__ import annotations

import importlib
import sqlite3
from typing import Any

from sqlalchemy import Connection, select, text

from radixa.store.documents.schema import documents, passages
from radixa.store.documents.slices import in_place

_NEAREST = text(
    "SELECT p.id FROM passages AS p JOIN documents AS d ON d.id = p.document_id AND d.name != ' ' || d.id "
    "WHERE p.collection_id = :collection AND length(vector) = length(:wanted) "
    "ORDER BY vec_distance_cosine(vector, :wanted) NULLS LAST, p.id LIMIT :most"
)


def by_vector(connection: Connection, collection_id: str, wanted: bytes, most: int) -> list[int]:
    """Ids of passages, the nearest first; those without a vector of that length are left out."""
    if loaded(connection):
        values = {"collection": collection_id, "wanted": wanted, "most": most}
        return list(connection.execute(_NEAREST, values).scalars())
    return _by_numpy(connection, collection_id, wanted, most)


def loaded(connection: Connection) -> bool:
    """Whether this connection computes distances itself."""
    if connection.dialect.name != "sqlite":
        return False
    raw: Any = connection.connection.dbapi_connection
    try:
        vec = importlib.import_module("sqlite_vec")
        raw.enable_load_extension(True)
        try:
            vec.load(raw)
        finally:
            raw.enable_load_extension(False)
    except (ImportError, AttributeError, sqlite3.Error):
        # Not installed, an interpreter that was built without extensions, or one of another architecture.
        return False
    return True


def _by_numpy(connection: Connection, collection_id: str, wanted: bytes, most: int) -> list[int]:
    import numpy

    rows = connection.execute(
        select(passages.c.id, passages.c.vector)
        .join(documents, documents.c.id == passages.c.document_id)
        .where(passages.c.collection_id == collection_id, passages.c.vector.is_not(None), in_place(documents))
        .order_by(passages.c.id)
    )
    found = [(row.id, row.vector) for row in rows if len(row.vector) == len(wanted)]
    if not found:
        return []
    matrix = numpy.frombuffer(b"".join(vector for _, vector in found), "<f4").reshape(len(found), -1)
    query = numpy.frombuffer(wanted, "<f4")
    lengths = numpy.linalg.norm(matrix, axis=1) * numpy.linalg.norm(query)
    cosines = matrix @ query / numpy.where(lengths == 0, 1, lengths)
    return [found[place][0] for place in numpy.argsort(-cosines, kind="stable")[:most]]
