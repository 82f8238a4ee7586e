"""Collections and documents as the API and the command line print them."""

from __future__ import annotations

from typing import Literal

import msgspec

from radixa.documents.base import Found, Kind
from radixa.store.documents.base import Collection, Document


class CollectionShape(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["collection"] = "collection"
    name: str
    created: int
    embedding_model: str | None
    """Whose vectors its passages have."""
    documents: int
    passages: int
    characters: int


class DocumentShape(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["collection.document"] = "collection.document"
    name: str
    format: Kind
    created: int
    passages: int
    characters: int


class PassageShape(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    object: Literal["collection.passage"] = "collection.passage"
    document: str
    position: int
    heading: str
    text: str
    """With its headings before it, as a prompt takes it."""
    rank: int
    score: float


class DeletedShape(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["collection", "collection.document"]
    name: str
    deleted: bool = True


def collection_shape(one: Collection) -> CollectionShape:
    return CollectionShape(
        id=one.id,
        name=one.name,
        created=one.created,
        embedding_model=one.embedding,
        documents=one.documents,
        passages=one.passages,
        characters=one.characters,
    )


def document_shape(one: Document) -> DocumentShape:
    return msgspec.convert(
        {
            "id": one.id,
            "name": one.name,
            "format": one.kind,
            "created": one.created,
            "passages": one.passages,
            "characters": one.characters,
        },
        DocumentShape,
    )


def passage_shape(found: Found) -> PassageShape:
    one = found.passage
    return PassageShape(
        id=one.id,
        document=one.document,
        position=one.position,
        heading=one.heading,
        text=found.text,
        rank=found.rank,
        score=round(found.score, 6),
    )


def removed_collection(one: Collection) -> DeletedShape:
    return DeletedShape(id=one.id, object="collection", name=one.name)


def removed_document(one: Document) -> DeletedShape:
    return DeletedShape(id=one.id, object="collection.document", name=one.name)
