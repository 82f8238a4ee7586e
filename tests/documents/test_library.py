"""Documents taken in and found again, over a real database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.core.errors import InvalidRequest
from radixa.documents.base import Embedder
from radixa.documents.embedding import packaged_embedder
from radixa.documents.library import Library
from radixa.documents.vectors import packed
from radixa.store.documents.sql import SqlDocuments
from radixa.store.sql import SqlStore, open_store

FRUIT = {
    "apple": "# Apple\n\nA red fruit that grows on trees and keeps over the winter.",
    "cherry": "# Cherry\n\nA red fruit that grows on trees in pairs.",
    "beet": "# Beet\n\nA red root that grows in the ground and keeps over the winter.",
    "carrot": "# Carrot\n\nA root that grows in the ground.",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    found = open_store(StoreConfig(), tmp_path / "radixa.db")
    yield found
    found.close()


@pytest.fixture
def account(store: SqlStore) -> str:
    return store.create_account("acme").id


def filled(store: SqlStore, account: str, embedder: Embedder | None = None) -> Library:
    library = Library(SqlDocuments(store.engine), lambda: embedder)
    collection = library.create(account, "garden")
    for name, text in FRUIT.items():
        library.add(collection, name, "markdown", text.encode())
    return library


def names(library: Library, account: str, query: str, k: int, *, ranked: bool = False) -> tuple[list[str], int]:
    found = library.search(library.store.collection(account, "garden"), query, k, ranked=ranked)
    return [one.passage.document for one in found.passages], found.held


def test_the_order_that_was_sent_comes_first_and_nothing_is_dropped(store: SqlStore, account: str) -> None:
    library = filled(store, account)
    first, held = names(library, account, "red fruit on trees, which keeps over the winter", 3)
    assert held == 0
    ranked, _ = names(library, account, "red root in the ground, over the winter", 3, ranked=True)
    assert ranked[0] == "beet"
    assert set(ranked) != set(first)
    order, held = names(library, account, "red root in the ground, over the winter", 3)
    assert sorted(order) == sorted(ranked)
    assert order != ranked
    assert 0 < held < 3
    assert order[:held] == first[:held]
    assert first[held] not in ranked
    assert order[held:] == [one for one in ranked if one not in first[:held]]


def test_asking_twice_gives_the_same_text_twice(store: SqlStore, account: str) -> None:
    library = filled(store, account)
    collection = library.store.collection(account, "garden")
    once, again = (library.search(collection, "red fruit", 3) for _ in range(2))
    assert [one.text for one in once.passages] == [one.text for one in again.passages]
    assert (once.held, again.held) == (0, 3)
    assert {one.text.partition("\n\n")[0].lower() for one in once.passages[:2]} == {"apple", "cherry"}
    assert [one.rank for one in once.passages] == [1, 2, 3]


def test_orders_of_a_collection_that_came_anew_are_not_followed(store: SqlStore, account: str) -> None:
    library = filled(store, account)
    names(library, account, "red fruit", 2)
    library.store.remove(account, "garden")
    collection = library.create(account, "garden")
    library.add(collection, "apple", "markdown", FRUIT["apple"].encode())
    assert names(library, account, "red fruit", 2) == (["apple"], 0)


def test_vectors_find_what_has_none_of_the_words(store: SqlStore, account: str) -> None:
    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.0] if "root" in text or "vegetable" in text else [0.0, 2.0] for text in texts]

    library = filled(store, account, Embedder("by hand", embed))
    assert library.store.collection(account, "garden").embedding == "by hand"
    assert set(names(library, account, "vegetable", 2)[0]) == {"beet", "carrot"}


def test_vectors_of_another_model_are_not_compared(store: SqlStore, account: str) -> None:
    filled(store, account, Embedder("one", lambda texts: [[1.0, 0.0] for _ in texts]))
    other = Library(SqlDocuments(store.engine), lambda: Embedder("another", lambda texts: [[1.0] * 3 for _ in texts]))
    assert names(other, account, "vegetable", 2)[0] == []
    other.add(other.store.collection(account, "garden"), "pea", "text", b"A green pea.")
    assert names(other, account, "pea", 1)[0] == ["pea"]


def test_the_packaged_model_knows_what_is_alike(store: SqlStore, account: str) -> None:
    pytest.importorskip("wordllama", reason="needs wordllama: pip install 'radixa[embeddings]'")
    embedder = packaged_embedder()
    assert embedder is not None
    assert "wordllama" in embedder.model
    library = filled(store, account, embedder)
    assert names(library, account, "vegetables below the earth", 1)[0][0] in ("beet", "carrot")


def test_vectors_have_length_one() -> None:
    assert packed([[3.0, 4.0], [0.0, 0.0]]) == [b"\x9a\x99\x19?\xcd\xccL?", b"\0" * 8]


def test_a_document_that_cannot_be_read_leaves_the_earlier_one(store: SqlStore, account: str) -> None:
    library = filled(store, account)
    with pytest.raises(InvalidRequest, match="'apple' cannot be read as PDF"):
        library.add(library.store.collection(account, "garden"), "apple", "pdf", b"no PDF")
    assert names(library, account, "keeps over the winter on trees", 1)[0] == ["apple"]


def test_a_collection_is_opened_or_made(store: SqlStore, account: str) -> None:
    library = Library(SqlDocuments(store.engine))
    assert library.opened(account, "new").id == library.opened(account, "new").id
