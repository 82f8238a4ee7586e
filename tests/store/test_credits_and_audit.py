"""Credits that are added once, acts that are written down with what they did, and databases of the release before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from radixa.core.config import StoreConfig
from radixa.core.errors import Conflict, InvalidRequest, NotFound
from radixa.store.base import Actor, Budgets, KeyTerms, Limits
from radixa.store.database import MIGRATIONS
from radixa.store.first import has_administrator
from radixa.store.secrets import digest
from radixa.store.sql import SqlStore, open_store

BY = Actor("acct_admin", "key_admin", "req_1")


def test_the_same_top_up_at_once_is_added_once(store: SqlStore) -> None:
    account = store.create_account("acme", free_credits=5)
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda _: store.add_credit(account.id, 100, idempotency_key="invoice", by=BY), range(16))
        )
    assert len({credit.id for credit, _ in found}) == 1
    assert sum(new for _, new in found) == 1
    assert store.granted() == {account.id: 105}
    assert [entry.action for entry in store.audit()] == ["credit.add", "account.create"]
    for other in ({"amount": 99}, {"kind": "correction"}):
        with pytest.raises(Conflict, match="has added another entry"):
            store.add_credit(account.id, idempotency_key="invoice", **{"amount": 100} | other)
    # Another account's keys are its own.
    second = store.create_account("second")
    assert store.add_credit(second.id, 7, idempotency_key="invoice")[1]
    assert store.granted() == {account.id: 105, second.id: 7}


def test_top_ups_without_a_key_all_count(store: SqlStore) -> None:
    account = store.create_account("acme")
    for _ in range(3):
        store.add_credit(account.id, 10)
    assert store.granted(account.id) == {account.id: 30}
    assert [credit.amount for credit in store.credits(account.id)] == [10, 10, 10]
    with pytest.raises(NotFound):
        store.add_credit("acct_nobody", 10)


def test_what_fails_leaves_no_entry(store: SqlStore) -> None:
    account = store.create_account("acme")
    before = store.audit()
    for act in (
        lambda: store.create_account("acme", free_credits=5, by=BY),
        lambda: store.create_key("acct_nobody", "x", by=BY),
        lambda: store.create_key(account.id, "", by=BY),
        lambda: store.change_key("key_nobody", "x", KeyTerms(), by=BY),
        lambda: store.revoke_key("key_nobody", by=BY),
        lambda: store.change_account("acct_nobody", Limits(), None, by=BY),
        lambda: store.add_credit("acct_nobody", 5, by=BY),
    ):
        with pytest.raises((InvalidRequest, NotFound)):
            act()
    assert store.audit() == before
    assert store.granted() == {}


def test_acts_say_who_and_hold_no_secret(store: SqlStore) -> None:
    account = store.create_account("acme", by=BY)
    key, secret = store.create_key(account.id, "laptop", terms=KeyTerms(models=("o3",)), by=BY)
    store.revoke_key(key.id, by=BY)
    store.revoke_key(key.id, by=BY)
    found = store.audit()
    assert [entry.action for entry in found] == ["key.revoke", "key.create", "account.create"]
    assert all((entry.actor, entry.account_id) == (BY, account.id) for entry in found)
    assert found[1].details["models"] == ["o3"]
    assert secret not in repr(found)
    assert digest(secret) not in repr(found)
    assert store.audit(limit=1, before=found[0].id) == found[1:2]
    assert store.audit(account_id="acct_other") == []


def test_terms_are_read_as_they_were_written(store: SqlStore) -> None:
    account = store.create_account("acme", limits=Limits(1, 2, 3), credit_limit=4)
    terms = KeyTerms(2**33, ("a", "ü"), Limits(5, 6, 7), Budgets(8, 9, 2**60), force_include_usage=True)
    key, secret = store.create_key(account.id, "laptop", terms=terms)
    store.add_credit(account.id, 11)
    found = store.credential(digest(secret))
    assert found is not None
    assert (found.key, found.account, found.granted) == (key, account, 11)
    assert store.keys() == [key]
    changed = store.change_key(key.id, "phone", KeyTerms())
    assert (changed.name, changed.terms) == ("phone", KeyTerms())
    assert store.change_account(account.id, Limits(), None).limits == Limits()


def test_an_administrator_whose_key_has_expired_is_none(store: SqlStore) -> None:
    account = store.create_account("acme")
    store.create_key(account.id, "old", admin=True, terms=KeyTerms(expires=1))
    assert not has_administrator(store)
    store.create_key(account.id, "new", admin=True, terms=KeyTerms(expires=2**40))
    assert has_administrator(store)


def test_accounts_of_the_release_before_go_on_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    engine = create_engine(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO accounts VALUES ('acct_1', 'acme', 5)"))
        connection.execute(text("INSERT INTO keys VALUES ('key_1', 'acct_1', 'laptop', 'd', 'h', 1, 6, NULL)"))
    store = open_store(StoreConfig(url=f"sqlite:///{file}"))
    [account], [key] = store.accounts(), store.keys()
    store.close()
    assert (account.name, account.limits, account.credit_limit) == ("acme", Limits(), None)
    assert (key.name, key.admin, key.terms) == ("laptop", True, KeyTerms())
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert connection.execute(text("SELECT * FROM keys")).all() == [
            ("key_1", "acct_1", "laptop", "d", "h", 1, 6, None)
        ]
    engine.dispose()
