"""Collections, documents and passages, in either database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy
import pytest
from sqlalchemy import TextClause, func, select
from sqlalchemy import text as statement_of
from sqlalchemy.exc import IntegrityError

from radixa.core.errors import Conflict, InvalidRequest, NotFound
from radixa.store.documents import find, slices, sql, vectors
from radixa.store.documents.base import Collection, NewPassage
from radixa.store.documents.schema import passages
from radixa.store.documents.sql import SqlDocuments
from radixa.store.sql import SqlStore

TEXTS = {
    "install": "Binary packages are installed by the package manager.",
    "license": "Every file names its licence. Naïve readers skip it.",
    "refund": "환불을 신청하려면 고객센터에 연락하십시오.",
    "return": "返品期限は三十日です。猫が好き。",
    "exchange": "退货需要在七天之内提出申请",
    "unlike": "100% of_all 'quoted' \"words\" -- and (brackets)",
}
QUERIES = {
    "package": "install",
    "packaging?": "install",
    "LICENCE": "license",
    "naive": "license",
    "환불은 어떻게 하나요": "refund",
    "고객": "refund",
    "返品の期限": "return",
    "猫": "return",
    "申请退货": "exchange",
    "of_all": "unlike",
    "brackets) OR NEAR(": "unlike",
}


@pytest.fixture
def account(store: SqlStore) -> str:
    return store.create_account("acme").id


@pytest.fixture
def kept(store: SqlStore) -> SqlDocuments:
    return SqlDocuments(store.engine)


@pytest.fixture
def collection(kept: SqlDocuments, account: str) -> Collection:
    return kept.create(account, "handbook")


def pieces(*texts: str) -> list[NewPassage]:
    return [NewPassage("", text) for text in texts]


def found(kept: SqlDocuments, collection: Collection, query: str) -> set[str]:
    rankings = kept.rankings(collection, query, None, 10)
    return {passage.document for ids in rankings for passage in kept.passages(ids)}


def rows(kept: SqlDocuments) -> int:
    """Passages in the database, found or not."""
    with kept._engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(passages)).scalar_one())


def test_what_is_kept_is_counted(kept: SqlDocuments, account: str, collection: Collection) -> None:
    assert kept.collections(account) == [collection]
    document = kept.add(collection, "b/ü.md", "markdown", pieces("four", "words"))
    kept.add(collection, "a", "text", pieces("three"))
    held = kept.collection(account, "handbook")
    assert (held.documents, held.passages, held.characters) == (2, 3, 14)
    assert [one.name for one in kept.documents(held.id)] == ["a", "b/ü.md"]
    assert (document.kind, document.passages, document.characters) == ("markdown", 2, 9)


def test_a_document_of_the_same_name_replaces_the_earlier_one(kept: SqlDocuments, collection: Collection) -> None:
    kept.add(collection, "a", "text", pieces("earlier"))
    kept.add(collection, "a", "text", pieces("later"))
    assert [one.characters for one in kept.documents(collection.id)] == [5]
    assert found(kept, collection, "earlier") == set()
    assert found(kept, collection, "later") == {"a"}


def test_a_document_named_as_another_ones_id_replaces_nothing(
    kept: SqlDocuments, account: str, collection: Collection
) -> None:
    first = kept.add(collection, "a", "text", pieces("first"))
    second = kept.add(collection, first.id, "text", pieces("second"))
    assert [one.name for one in kept.documents(collection.id)] == ["a", first.id]
    assert kept.remove_document(account, "handbook", first.id) == second
    assert kept.remove_document(account, "handbook", first.id) == first


def test_removing_takes_what_finds_them_too(kept: SqlDocuments, account: str, collection: Collection) -> None:
    document = kept.add(collection, "a", "text", pieces("first word"))
    kept.add(collection, "b", "text", pieces("second word"))
    (ids, _) = kept.rankings(collection, "word", None, 10)
    assert kept.remove_document(account, "handbook", document.id).name == "a"
    assert found(kept, collection, "word") == {"b"}
    assert [passage.text for passage in kept.passages(ids)] == ["second word"]
    assert kept.remove_document(account, "handbook", "b").name == "b"
    with pytest.raises(NotFound, match="no document 'b'"):
        kept.remove_document(account, "handbook", "b")
    assert kept.remove(account, "handbook").documents == 0
    with pytest.raises(NotFound, match="radixa docs add handbook"):
        kept.collection(account, "handbook")


@pytest.mark.parametrize(("query", "document"), QUERIES.items())
def test_words_of_all_scripts_are_found(kept: SqlDocuments, collection: Collection, query: str, document: str) -> None:
    if query == "naive" and kept._engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL takes accents away by an extension only")
    for name, text in TEXTS.items():
        kept.add(collection, name, "text", pieces(text))
    assert found(kept, collection, query) == {document}


def test_what_holds_more_of_the_words_comes_first(kept: SqlDocuments, collection: Collection) -> None:
    for name, text in {"none": "other things", "one": "a red house", "two": "a red car", "all": "red car race"}.items():
        kept.add(collection, name, "text", pieces(text))
    for ids in kept.rankings(collection, "car race red", None, 2):
        assert [passage.document for passage in kept.passages(ids)] == ["all", "two"]


def test_headings_are_searched(kept: SqlDocuments, collection: Collection) -> None:
    kept.add(collection, "a", "text", [NewPassage("Refunds > 환불", "by post"), NewPassage("Other", "by hand")])
    for query in ("refunds", "환불"):
        (ids, _) = kept.rankings(collection, query, None, 10)
        assert [passage.heading for passage in kept.passages(ids)] == ["Refunds > 환불"]


@pytest.mark.parametrize("query", ["", "?!", '"', "* OR NOT", "\0"])
def test_a_query_without_words_finds_nothing_and_fails_nowhere(
    kept: SqlDocuments, collection: Collection, query: str
) -> None:
    kept.add(collection, "a", "text", pieces("words"))
    assert found(kept, collection, query) == set()


def test_accounts_never_meet(store: SqlStore, kept: SqlDocuments, account: str, collection: Collection) -> None:
    kept.add(collection, "a", "text", pieces("secret"))
    other = store.create_account("other").id
    mine = kept.create(other, "handbook")
    assert found(kept, mine, "secret") == set()
    assert kept.documents(mine.id) == []
    with pytest.raises(NotFound):
        kept.remove_document(other, "handbook", "a")
    kept.remove(other, "handbook")
    assert found(kept, collection, "secret") == {"a"}


@pytest.mark.parametrize(("statement", "table"), [(find._WORDS, "passages_words"), (find._PARTS, "passages_parts")])
def test_sqlite_looks_for_the_word_first(sqlite_store: SqlStore, statement: TextClause, table: str) -> None:
    values = {"collection": "x", "query": '"word"', "most": 1}
    with sqlite_store.engine.connect() as connection:
        plan = connection.execute(statement_of(f"EXPLAIN QUERY PLAN {statement}"), values).all()
    looked = [row.detail for row in plan if row.detail.startswith(("SCAN", "SEARCH"))]
    assert looked[0].startswith(f"SCAN {table} VIRTUAL TABLE")


def test_what_others_have_moves_no_ranks(
    store: SqlStore, kept: SqlDocuments, account: str, collection: Collection
) -> None:
    kept.add(collection, "a", "text", pieces("zorbium alpha", "quaxite alpha"))
    before = kept.rankings(collection, "zorbium quaxite", None, 10)
    theirs = kept.create(store.create_account("other").id, "handbook")
    kept.add(theirs, "b", "text", pieces(*(f"zorbium number {number}" for number in range(20))))
    assert kept.rankings(collection, "zorbium quaxite", None, 10) == before
    assert [len(ids) for ids in before] == [2, 2]


@pytest.mark.parametrize("name", ["", " a", "a\n", "a/b", "x" * 201, "\ud800", ".", ".."])
def test_names_that_cannot_be(kept: SqlDocuments, account: str, name: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid 'name'") as refused:
        kept.create(account, name)
    assert refused.value.param == "name"


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "'; DROP TABLE documents; --"])
def test_names_that_nobody_has(kept: SqlDocuments, account: str, collection: Collection, name: str) -> None:
    with pytest.raises(NotFound, match="no collection"):
        kept.collection(account, name)
    with pytest.raises(NotFound, match="no document"):
        kept.remove_document(account, "handbook", name)


def test_names_are_there_once(kept: SqlDocuments, account: str, collection: Collection) -> None:
    with pytest.raises(Conflict, match="'handbook' already"):
        kept.create(account, "handbook")


def test_an_account_and_a_collection_hold_so_much(
    kept: SqlDocuments, account: str, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in {"MOST_COLLECTIONS": 1, "MOST_DOCUMENTS": 2, "MOST_PASSAGES": 3}.items():
        monkeypatch.setattr(sql, name, most)
    with pytest.raises(InvalidRequest, match="has 1 collections"):
        kept.create(account, "more")
    kept.add(collection, "a", "text", pieces("1", "2"))
    with pytest.raises(InvalidRequest, match=r"would have 4 passages\. Expected at most 3"):
        kept.add(collection, "b", "text", pieces("3", "4"))
    kept.add(collection, "a", "text", pieces("1", "2", "3"))
    kept.add(collection, "a", "text", pieces("1"))
    kept.add(collection, "b", "text", pieces("2"))
    with pytest.raises(InvalidRequest, match="would have 3 documents"):
        kept.add(collection, "c", "text", pieces("3"))
    assert [one.name for one in kept.documents(collection.id)] == ["a", "b"]


def test_several_add_at_once(kept: SqlDocuments, account: str, collection: Collection) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda at: kept.add(collection, f"d{at % 6}", "text", pieces("word")), range(24)))
    held = kept.collection(account, "handbook")
    assert (held.documents, held.passages) == (6, 6)


def test_what_is_half_done_is_not_seen(
    kept: SqlDocuments, account: str, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 1)
    kept.add(collection, "a", "text", pieces("earlier word"))
    with pytest.raises(IntegrityError):
        kept.add(collection, "a", "text", [*pieces("later word"), NewPassage(None, "x")])  # type: ignore[arg-type]
    assert [one.characters for one in kept.documents(collection.id)] == [12]
    assert kept.collection(account, "handbook").passages == 1
    assert [len(ids) for ids in kept.rankings(collection, "word", None, 10)] == [1, 1]
    assert rows(kept) == 2
    kept.add(collection, "b", "text", pieces("another"))
    assert rows(kept) == 3
    monkeypatch.setattr(sql, "LEFT_S", -1)
    kept.add(collection, "b", "text", pieces("another"))
    assert rows(kept) == 2


def test_a_collection_that_somebody_died_over_goes_with_the_next(
    kept: SqlDocuments, account: str, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.add(collection, "a", "text", pieces("word"))
    with monkeypatch.context() as dying:
        dying.setattr(sql, "take_out_collection", lambda *_: None)
        kept.remove(account, "handbook")
    assert (kept.collections(account), rows(kept)) == ([], 1)
    kept.create(account, "handbook")
    kept.remove(account, "handbook")
    assert rows(kept) == 0


def test_adding_to_a_collection_that_went_meanwhile(kept: SqlDocuments, account: str, collection: Collection) -> None:
    kept.remove(account, "handbook")
    with pytest.raises(NotFound):
        kept.add(collection, "a", "text", pieces("word"))


def test_vectors_rank_by_their_angle(kept: SqlDocuments, collection: Collection) -> None:
    chance = numpy.random.default_rng(0)
    some = chance.normal(size=(40, 8)).astype("<f4")
    wanted = chance.normal(size=8).astype("<f4")
    added: list[NewPassage] = [NewPassage("", f"{at}", row.tobytes()) for at, row in enumerate(some)]
    added += [NewPassage("", "none"), NewPassage("", "of another model", b"\0" * 16)]
    kept.add(collection, "a", "text", added)
    cosines = some @ wanted / numpy.linalg.norm(some, axis=1)
    *_, ids = kept.rankings(collection, "?", wanted.tobytes(), 5)
    assert [passage.position for passage in kept.passages(ids)] == list(numpy.argsort(-cosines)[:5])


def test_sqlite_vec_gives_the_same_order(sqlite_store: SqlStore) -> None:
    kept = SqlDocuments(sqlite_store.engine)
    collection = kept.create(sqlite_store.create_account("acme").id, "x")
    some: Any = numpy.random.default_rng(1).normal(size=(60, 16)).astype("<f4")
    kept.add(collection, "a", "text", [NewPassage("", "t", row.tobytes()) for row in some])
    with sqlite_store.engine.connect() as connection:
        if not vectors.loaded(connection):
            pytest.skip("needs sqlite-vec, and a Python whose sqlite3 loads extensions")
        here = vectors.by_vector(connection, collection.id, some[3].tobytes(), 20)
        assert here == vectors._by_numpy(connection, collection.id, some[3].tobytes(), 20)
