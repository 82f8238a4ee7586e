"""Where `radixa docs` works: at a server, or without one in the database itself. Both give the server's shapes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import msgspec

if TYPE_CHECKING:
    from radixa.documents.library import Library
    from radixa.lang.http import Http

Row = dict[str, Any]


class Place(Protocol):
    def add(self, name: str, title: str, data: bytes) -> Row:
        """The document as it was added."""
        ...

    def collections(self) -> list[Row]: ...

    def documents(self, name: str) -> list[Row]: ...

    def search(self, name: str, query: str, k: int) -> list[Row]: ...

    def remove(self, name: str, document: str | None) -> Row: ...


@contextmanager
def place(url: str | None, api_key: str | None) -> Iterator[Place]:
    """The server at `url`, else this installation's database, as its first account."""
    if url:
        from radixa.lang.http import Http

        http = Http(url, api_key)
        try:
            yield _Server(http)
        finally:
            http.close()
        return
    from radixa.core.loading import load
    from radixa.documents.embedding import packaged_embedder
    from radixa.documents.library import Library
    from radixa.store.documents.sql import SqlDocuments
    from radixa.store.first import ensure_first_account
    from radixa.store.sql import open_store

    store = open_store(load().config.store)
    try:
        yield _Database(Library(SqlDocuments(store.engine), packaged_embedder), ensure_first_account(store).id)
    finally:
        store.close()


class _Server:
    def __init__(self, http: Http) -> None:
        self._http = http

    def add(self, name: str, title: str, data: bytes) -> Row:
        from base64 import b64encode

        body = {"documents": [{"name": title, "data": b64encode(data).decode()}]}
        return dict(self._http.post(_path(name), body)["data"][0])

    def collections(self) -> list[Row]:
        return list(self._http.get("/v1/collections")["data"])

    def documents(self, name: str) -> list[Row]:
        return list(self._http.get(_path(name))["data"])

    def search(self, name: str, query: str, k: int) -> list[Row]:
        return list(self._http.post(f"{_path(name)}/search", {"query": query, "k": k, "order": "rank"})["data"])

    def remove(self, name: str, document: str | None) -> Row:
        rest = "" if document is None else f"/documents?document={quote(document, safe='')}"
        return dict(self._http.delete(_path(name) + rest))


class _Database:
    def __init__(self, library: Library, account: str) -> None:
        self._library = library
        self._account = account

    def add(self, name: str, title: str, data: bytes) -> Row:
        from radixa.documents.reading.read import kind_of
        from radixa.documents.shapes import document_shape

        collection = self._library.opened(self._account, name)
        return _row(document_shape(self._library.add(collection, title, kind_of(title, data), data)))

    def collections(self) -> list[Row]:
        from radixa.documents.shapes import collection_shape

        return [_row(collection_shape(one)) for one in self._library.store.collections(self._account)]

    def documents(self, name: str) -> list[Row]:
        from radixa.documents.shapes import document_shape

        collection = self._library.store.collection(self._account, name)
        return [_row(document_shape(one)) for one in self._library.store.documents(collection.id)]

    def search(self, name: str, query: str, k: int) -> list[Row]:
        from radixa.documents.shapes import passage_shape

        collection = self._library.store.collection(self._account, name)
        return [_row(passage_shape(one)) for one in self._library.search(collection, query, k, ranked=True).passages]

    def remove(self, name: str, document: str | None) -> Row:
        from radixa.documents.shapes import removed_collection, removed_document

        if document is None:
            return _row(removed_collection(self._library.store.remove(self._account, name)))
        return _row(removed_document(self._library.store.remove_document(self._account, name, document)))


def _path(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"


def _row(shape: Any) -> Row:
    found: Row = msgspec.to_builtins(shape)
    return found
