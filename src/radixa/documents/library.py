"""Documents of accounts: taken in, and found again in the order in which they are best sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from radixa.core.errors import Conflict, NotFound
from radixa.documents.base import Embedder, Found, Kind, Retrieval
from radixa.documents.ordering import arranged
from radixa.documents.orders import Orders
from radixa.documents.ranking import fused
from radixa.documents.reading.apart import read_apart
from radixa.documents.splitting import split
from radixa.documents.vectors import packed, with_vectors
from radixa.store.documents.base import Collection, Document
from radixa.store.documents.sql import SqlDocuments

CANDIDATES = 60
"""Passages that each ranking names; more where more are wanted."""


class Library:
    """Blocks, for threads, of which several may call at once.

    `embedder` is asked for each use: there may be none yet, and then there are no vectors.
    """

    def __init__(self, store: SqlDocuments, embedder: Callable[[], Embedder | None] = lambda: None) -> None:
        self.store = store
        self._embedder = embedder
        self._orders = Orders()

    def create(self, account_id: str, name: str) -> Collection:
        """A new collection, with vectors if there is a model for them now."""
        embedder = self._embedder()
        return self.store.create(account_id, name, None if embedder is None else embedder.model)

    def opened(self, account_id: str, name: str) -> Collection:
        """The collection of that name, made if it is not there."""
        try:
            return self.store.collection(account_id, name)
        except NotFound:
            pass
        try:
            return self.create(account_id, name)
        except Conflict:
            # Somebody else made it just now.
            return self.store.collection(account_id, name)

    def add(self, collection: Collection, name: str, kind: Kind, data: bytes) -> Document:
        """Read a document, cut it and keep it. InvalidRequest where it cannot be read or kept."""
        pieces = split(read_apart(name, kind, data))
        embedder = self._embedder_of(collection)
        if embedder is not None:
            pieces = with_vectors(pieces, embedder)
        return self.store.add(collection, name, kind, pieces)

    def search(self, collection: Collection, query: str, k: int, *, ranked: bool = False) -> Retrieval:
        """The `k` best passages: in the order that was sent before, or with `ranked` in that of the ranking."""
        embedder = self._embedder_of(collection)
        vector = None
        if embedder is not None:
            (vector,) = packed(embedder.embed([query]))
        rankings = self.store.rankings(collection, query, vector, max(CANDIDATES, k))
        scored = dict(fused(rankings)[:k])
        found = [
            Found(passage, rank, scored[passage.id])
            for rank, passage in enumerate(self.store.passages(list(scored)), 1)
        ]
        return Retrieval(tuple(found), 0) if ranked else self._arranged(collection, found)

    def _arranged(self, collection: Collection, found: Sequence[Found]) -> Retrieval:
        scope = f"{collection.account_id}/{collection.id}"
        by_id = {one.passage.id: one for one in found}
        chosen = list(by_id)
        held = self._orders.held(scope, chosen)
        order, same = arranged(chosen, held, lambda one: len(by_id[one].text))
        self._orders.add(scope, order)
        return Retrieval(tuple(by_id[one] for one in order), same)

    def _embedder_of(self, collection: Collection) -> Embedder | None:
        """The one whose vectors the collection has."""
        if collection.embedding is None:
            return None
        embedder = self._embedder()
        return embedder if embedder is not None and embedder.model == collection.embedding else None
