"""Passages of a collection by their words and by parts of words, best first: FTS5 on SQLite, `tsvector` on PostgreSQL.

FTS5 counts over all collections how rare a word is, and so what somebody else's documents hold would show in the ranks
of one's own. Each word is therefore asked for by itself, its scores are brought to a scale of 0 to 1, and how much it
weighs is counted in the collection alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import log1p

from sqlalchemy import Connection, TextClause, bindparam, case, func, literal, select, text

from radixa.store.documents.schema import documents, passages
from radixa.store.documents.slices import in_place
from radixa.store.documents.words import parts, terms

# CROSS JOIN: what holds the word is looked up first. SQLite would rather go through the collection, and ask of each of
# its passages whether it does.
_FTS = """
WITH found AS MATERIALIZED (
    SELECT p.id AS id, bm25({table}, {weights}) AS score
    FROM {table} CROSS JOIN passages AS p ON p.id = {table}.rowid CROSS JOIN documents AS d ON d.id = p.document_id
    WHERE {table} MATCH :query AND p.collection_id = :collection AND d.name != ' ' || d.id
)
SELECT id, score, (SELECT count(*) FROM found) AS number FROM found ORDER BY score, id LIMIT :most
"""
_MOST_OF_A_WORD = 1_000
"""Passages that a word is counted in: a word of more of them says little."""
# A word of the headings says more about a passage than one of its text.
_WORDS = text(_FTS.format(table="passages_words", weights="2.0, 1.0, 1.0"))
_PARTS = text(_FTS.format(table="passages_parts", weights="2.0, 1.0"))

# The document is written as the index has it, or the index is of no use.
_RANKED = text("""
SELECT p.id FROM passages AS p JOIN documents AS d ON d.id = p.document_id
WHERE p.collection_id = :collection AND d.name != ' ' || d.id
AND to_tsvector('simple', heading || ' ' || text || ' ' || pairs) @@ to_tsquery('simple', :query)
ORDER BY ts_rank(
    to_tsvector('simple', heading || ' ' || text || ' ' || pairs), to_tsquery('simple', :query), 1
) DESC, p.id
LIMIT :most
""")


def by_words(connection: Connection, collection_id: str, query: str, most: int) -> list[int]:
    """Ids of passages that hold any of the query's words."""
    asked = terms(query)
    if not asked:
        return []
    if connection.dialect.name == "sqlite":
        return _ranked(connection, _WORDS, collection_id, [f'"{word}"{"*" * begins}' for word, begins in asked], most)
    wanted = " | ".join(f"'{word}'{':*' if begins else ''}" for word, begins in asked)
    values = {"collection": collection_id, "query": wanted, "most": most}
    return list(connection.execute(_RANKED, values).scalars())


def by_parts(connection: Connection, collection_id: str, query: str, most: int) -> list[int]:
    """Ids of passages that hold parts of the query's words, also within others."""
    asked = parts(query)
    if not asked:
        return []
    if connection.dialect.name == "sqlite":
        return _ranked(connection, _PARTS, collection_id, [f'"{part}"' for part in asked], most)
    held = [(passages.c.heading + " " + passages.c.text).icontains(part, autoescape=True) for part in asked]
    # Without statistics of parts, a long one stands for a rare one.
    weights = [case((holds, len(part)), else_=0) for holds, part in zip(held, asked, strict=True)]
    score = sum(weights[1:], start=weights[0] + literal(0))
    wanted = (
        select(passages.c.id)
        .join(documents, documents.c.id == passages.c.document_id)
        .where(passages.c.collection_id == bindparam("collection"), in_place(documents), score > 0)
        .order_by(score.desc(), func.length(passages.c.text), passages.c.id)
        .limit(most)
    )
    return list(connection.execute(wanted, {"collection": collection_id}).scalars())


def _ranked(
    connection: Connection, statement: TextClause, collection_id: str, asked: Sequence[str], most: int
) -> list[int]:
    """What holds any of what is asked, by bm25 with the collection's own numbers."""
    held = select(func.count()).select_from(passages).where(passages.c.collection_id == collection_id)
    total = connection.execute(held).scalar_one()
    scores: defaultdict[int, float] = defaultdict(float)
    for one in asked:
        values = {"collection": collection_id, "query": one, "most": _MOST_OF_A_WORD}
        rows = connection.execute(statement, values).all()
        for id_, score, number in rows:
            scores[id_] += score / rows[0].score * log1p((total - number + 0.5) / (number + 0.5))
    return sorted(scores, key=lambda id_: (-scores[id_], id_))[:most]
