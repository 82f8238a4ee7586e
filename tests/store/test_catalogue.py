"""Models that administrators changed, in either database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from radixa.core.errors import StoreUnavailable
from radixa.store.base import Actor
from radixa.store.catalogue import SqlModels
from radixa.store.sql import SqlStore

BY = Actor("acct_1", "key_1", "req_1")


def test_models_are_put_replaced_and_removed(store: SqlStore) -> None:
    models = SqlModels(store.engine)
    assert models.models() == {}
    models.put_model("b", '{"v": 1}', by=BY)
    models.put_model("a/ü", '{"v": 2}', by=BY)
    models.put_model("b", '{"v": 3}', by=BY)
    assert models.models() == {"a/ü": '{"v": 2}', "b": '{"v": 3}'}
    assert SqlModels(store.engine).models() == models.models()
    assert models.remove_model("b", by=BY)
    assert not models.remove_model("b", by=BY)
    assert list(models.models()) == ["a/ü"]


def test_the_same_model_at_once_is_put_by_all(store: SqlStore) -> None:
    """As by gateways that share a database: each sees none yet, and none is told that the database is away."""
    models = SqlModels(store.engine)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda at: models.put_model(f"m{at // 8}", f'{{"v": {at}}}', by=BY), range(64)))
    assert len(models.models()) == 8
    assert [entry.action for entry in store.audit()] == ["model.put"] * 64


def test_each_change_is_audited_once(store: SqlStore) -> None:
    models = SqlModels(store.engine)
    models.put_model("m" * 200, '{"v": 1}', by=BY)
    models.remove_model("m" * 200, by=BY)
    models.remove_model("m" * 200, by=BY)
    found = [entry for entry in store.audit() if entry.actor == BY]
    assert [entry.action for entry in found] == ["model.remove", "model.put"]
    assert {entry.details["model"] for entry in found} == {"m" * 200}
    assert found[1].details["entry"] == '{"v": 1}'


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(StoreUnavailable, match="no such table"):
        SqlModels(engine).models()
    engine.dispose()
