"""`/v1/collections`: documents of the caller's account, and the passages of them that fit a question. Free."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Literal, ParamSpec, TypeVar

import msgspec
from msgspec import Meta

from radixa.core.errors import InvalidRequest
from radixa.documents.library import Library
from radixa.documents.shapes import (
    CollectionShape,
    DeletedShape,
    DocumentShape,
    PassageShape,
    collection_shape,
    document_shape,
    passage_shape,
    removed_collection,
    removed_document,
)
from radixa.gateway.base import Parameter, Response, json_response, operation
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.request import Request
from radixa.gateway.routes.uploads import DocumentBody, Upload, given, uploaded
from radixa.gateway.state import Gateway
from radixa.store.documents.base import Collection, Document

P = ParamSpec("P")
T = TypeVar("T")

_reading = ThreadPoolExecutor(1, thread_name_prefix="documents")
"""Documents are read one at a time: a large one must not keep the threads that requests need."""

CollectionName = Annotated[str, Meta(min_length=1, max_length=200)]


class CollectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A collection to make, with its first documents if there are any."""

    name: CollectionName
    documents: Annotated[list[DocumentBody], Meta(max_length=1_000)] | None = None


class AddBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    documents: Annotated[list[DocumentBody], Meta(min_length=1, max_length=1_000)]


class SearchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: Annotated[str, Meta(min_length=1, max_length=8_000)]
    k: Annotated[int, Meta(ge=1, le=100)] = 4
    """Passages wanted."""
    order: Literal["cache", "rank"] = "cache"
    """`cache`: what was sent in this order before comes first; `rank`: the best first. The passages are the same."""


class SearchShape(msgspec.Struct, frozen=True):
    object: Literal["list"]
    collection: str
    order: Literal["cache", "rank"]
    held: int
    """How many of the passages, from the first, were sent in this order before."""
    data: list[PassageShape]
    duration_ms: float


class CollectionsShape(msgspec.Struct, frozen=True):
    object: Literal["list"]
    data: list[CollectionShape]


class OpenedShape(CollectionShape, frozen=True, kw_only=True):
    data: list[DocumentShape]


class AddedShape(msgspec.Struct, frozen=True):
    object: Literal["list"]
    collection: str
    data: list[DocumentShape]


_create = BodyDecoder(CollectionBody)
_add = BodyDecoder(AddBody)
_search = BodyDecoder(SearchBody)


@operation(answer=CollectionsShape)
async def index(gateway: Gateway, request: Request) -> Response:
    """The account's collections, by name."""
    found = await asyncio.to_thread(gateway.library.store.collections, request.identity.account_id)
    return json_response(CollectionsShape("list", [collection_shape(one) for one in found]))


@operation(body=(CollectionBody,), answer=CollectionShape, errors=(409,))
async def create(gateway: Gateway, request: Request) -> Response:
    """A new collection."""
    body = await _create.read(await request.body(gateway.config.server.max_body_bytes))
    uploads = await _beside(given, body.documents or [])
    account = request.identity.account_id
    made = await asyncio.to_thread(gateway.library.create, account, body.name)
    await _added(gateway.library, made, uploads)
    found = await asyncio.to_thread(gateway.library.store.collection, account, made.name)
    return json_response(collection_shape(found))


@operation(answer=OpenedShape, errors=(404,))
async def show(gateway: Gateway, request: Request) -> Response:
    """One collection and its documents, by name."""
    store = gateway.library.store
    found = await asyncio.to_thread(store.collection, request.identity.account_id, request.argument)
    documents = await asyncio.to_thread(store.documents, found.id)
    shape = msgspec.structs.asdict(collection_shape(found))
    return json_response(OpenedShape(**shape, data=[document_shape(one) for one in documents]))


@operation(
    body=(AddBody,), query=(Parameter("document", "The name of one that is the body itself."),), answer=AddedShape
)
async def add(gateway: Gateway, request: Request) -> Response:
    """Add documents, in place of those that have the same names. A collection that is not there is made.

    Files may also come as `multipart/form-data`, or one as the body itself: `?document=` is its name then, and its
    Content-Type says what it is (text/plain, text/markdown, text/html, application/pdf).
    """
    raw = await request.body(gateway.config.server.max_body_bytes)
    content_type = (request.header(b"content-type") or b"").decode("latin-1")
    uploads = await _beside(uploaded, content_type, raw, request.query().get("document", ""))
    if uploads is None:
        uploads = await _beside(given, (await _add.read(raw)).documents)
    collection = await asyncio.to_thread(gateway.library.opened, request.identity.account_id, request.argument)
    added = await _added(gateway.library, collection, uploads)
    return json_response(AddedShape("list", collection.name, [document_shape(one) for one in added]))


@operation(answer=DeletedShape, errors=(404,))
async def remove(gateway: Gateway, request: Request) -> Response:
    """Remove a collection and all that is in it."""
    store = gateway.library.store
    gone = await asyncio.to_thread(store.remove, request.identity.account_id, request.argument)
    return json_response(removed_collection(gone))


@operation(query=(Parameter("document", "Its name or id."),), answer=DeletedShape, errors=(404,))
async def remove_document(gateway: Gateway, request: Request) -> Response:
    """Remove one document."""
    name = request.query().get("document")
    if not name:
        raise InvalidRequest(
            "Missing required parameter: 'document'. Expected ?document= with a name or an id.",
            param="document",
            code="missing_required_parameter",
        )
    store = gateway.library.store
    gone = await asyncio.to_thread(store.remove_document, request.identity.account_id, request.argument, name)
    return json_response(removed_document(gone))


@operation(body=(SearchBody,), answer=SearchShape, errors=(404,))
async def search(gateway: Gateway, request: Request) -> Response:
    """The passages that fit a question best, those first that a prompt was given in the same order before."""
    body = await _search.read(await request.body(gateway.config.server.max_body_bytes))
    library = gateway.library
    begun = time.perf_counter()
    collection = await asyncio.to_thread(library.store.collection, request.identity.account_id, request.argument)
    found = await asyncio.to_thread(library.search, collection, body.query, body.k, ranked=body.order == "rank")
    milliseconds = round((time.perf_counter() - begun) * 1e3, 3)
    data = [passage_shape(one) for one in found.passages]
    return json_response(SearchShape("list", collection.name, body.order, found.held, data, milliseconds))


async def _added(library: Library, collection: Collection, uploads: Sequence[Upload]) -> list[Document]:
    """One after the other: those before one that cannot be read are there."""
    return [await _beside(library.add, collection, upload.name, upload.kind, upload.data) for upload in uploads]


async def _beside(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    return await asyncio.get_running_loop().run_in_executor(_reading, partial(work, *arguments, **options))
