"""What is kept of documents: collections of an account's, the documents in them, and the passages these are cut into.

Times are Unix seconds, lengths characters.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_COLLECTIONS = 200
"""Of one account."""
MOST_DOCUMENTS = 10_000
"""Of one collection."""
MOST_PASSAGES = 50_000
"""Of one collection."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents that are searched together. Its name is its account's own: another account may have the same."""

    id: str
    account_id: str
    name: str
    created: int
    embedding: str | None
    """The model whose vectors its passages have; None where they have none."""
    documents: int
    passages: int
    characters: int


@dataclass(frozen=True, slots=True)
class Document:
    """One text as it was added. A collection has one of a name: a later one replaces it."""

    id: str
    name: str
    kind: str
    """What it was read as: `text`, `markdown`, `html` or `pdf`."""
    created: int
    characters: int
    passages: int


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A piece of a document, to be kept."""

    heading: str
    """The headings above it, from the outermost, joined by ` > `; empty where there are none."""
    text: str
    vector: bytes | None = None
    """Its embedding: little-endian float32, of length 1."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that was found."""

    id: int
    """Never given to another one."""
    document: str
    """The document's name."""
    position: int
    """Counted from 0 within the document."""
    heading: str
    text: str
