"""The database: migrations from nothing, keys without their secrets, and what goes wrong said plainly."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.core.errors import ConfigError, InvalidRequest, NotFound
from radixa.store import secrets
from radixa.store.base import ApiKey
from radixa.store.database import POSTGRES, one_at_a_time
from radixa.store.first import ensure_first_account, ensure_first_key, has_administrator, ignored_first_key
from radixa.store.sql import SqlStore, open_store


def key_of(store: SqlStore, secret: str) -> ApiKey | None:
    """The key that `secret` opens, revoked or not."""
    found = store.credential(secrets.digest(secret))
    return None if found is None else found.key


def test_migrations_make_the_tables_that_the_code_uses(store: SqlStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    import radixa.store.catalogue
    import radixa.store.documents.schema
    import radixa.store.ledger.schema
    from radixa.store.schema import metadata

    def ours(name: str | None, kind: str, _: object) -> bool:
        """Not what finds words in passages: SQLAlchemy knows no FTS5, and no index of an expression."""
        return not (name or "").startswith(("passages_words", "passages_parts"))

    assert radixa.store.catalogue.models.metadata is metadata
    assert radixa.store.documents.schema.passages.metadata is metadata
    assert radixa.store.ledger.schema.ledger.metadata is metadata
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": ours})
        assert compare_metadata(context, metadata) == []


def test_sqlite_is_set_up_for_a_server(sqlite_store: SqlStore) -> None:
    with sqlite_store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_second_start_keeps_what_is_there(store: SqlStore) -> None:
    account = store.create_account("acme")
    key, _ = store.create_key(account.id, "laptop")
    url = store._engine.url.render_as_string(hide_password=False)
    store.close()
    again = open_store(StoreConfig(url=url))
    assert again.accounts() == [account]
    assert again.keys() == [key]
    again.close()


def test_no_secret_is_stored(sqlite_store: SqlStore, file: Path) -> None:
    store = sqlite_store
    account = store.create_account("acme")
    key, secret = store.create_key(account.id, "laptop")
    store.close()
    for part in file.parent.iterdir():
        assert secret.encode() not in part.read_bytes()
    assert key.digest == secrets.digest(secret)
    assert key.hint == secret[-4:]


def test_secrets_are_random_and_recognisable() -> None:
    made = {secrets.new_secret() for _ in range(100)}
    assert len(made) == 100
    # 128 bits of URL-safe characters are 22 of them.
    assert all(secret.startswith("rx-") and len(secret) >= 3 + 22 for secret in made)
    assert secrets.hint("short-key") == ""


def test_a_key_is_found_by_its_digest(store: SqlStore) -> None:
    account = store.create_account("acme")
    key, secret = store.create_key(account.id, "laptop", admin=True)
    assert key_of(store, secret) == key
    assert key_of(store, "rx-other") is None
    revoked = store.revoke_key(key.id)
    assert revoked.revoked is not None
    assert key_of(store, secret) == revoked
    assert store.keys() == [revoked]
    assert store.revoke_key(key.id) == revoked


def test_keys_by_account(store: SqlStore) -> None:
    one, two = store.create_account("one"), store.create_account("two")
    first, _ = store.create_key(one.id, "a")
    second, _ = store.create_key(two.id, "b")
    assert store.keys(one.id) == [first]
    assert store.keys(two.id) == [second]
    assert store.find_account("two") == two
    assert store.find_account(one.id) == one
    assert store.find_account("three") is None


def test_what_cannot_be_is_refused(store: SqlStore) -> None:
    account = store.create_account("acme")
    with pytest.raises(InvalidRequest, match="already an account named 'acme'"):
        store.create_account("acme")
    # Ids begin so; an account of that name could be taken for another one.
    with pytest.raises(InvalidRequest, match="no account 'acct_x', and none can be named so"):
        store.create_account("acct_x")
    for name in ("", "x" * 201, "zero\0byte", "half \ud800"):
        for make in (store.create_account, lambda name: store.create_key(account.id, name)):
            with pytest.raises(InvalidRequest, match="expected a name of 1 to 200 characters"):
                make(name)
    store.create_key(store.create_account("Ω" * 200).id, "🗝" * 200)
    with pytest.raises(NotFound, match="no account 'nobody'"):
        store.create_key("nobody", "x")
    with pytest.raises(NotFound, match="no key 'key_x'"):
        store.revoke_key("key_x")


@pytest.mark.parametrize("environment", [None, ""])
def test_the_first_key_is_made_once(store: SqlStore, monkeypatch: pytest.MonkeyPatch, environment: str | None) -> None:
    if environment is None:
        monkeypatch.delenv("RADIXA_API_KEY", raising=False)
    else:
        monkeypatch.setenv("RADIXA_API_KEY", environment)
    secret = ensure_first_key(store)
    assert secret is not None
    key = key_of(store, secret)
    assert key is not None
    assert key.admin
    assert ensure_first_key(store) is None
    assert len(store.keys()) == 1


def test_the_first_key_may_be_given(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_API_KEY", "rx-from-the-environment")
    assert ensure_first_key(store) is None
    key = key_of(store, "rx-from-the-environment")
    assert key is not None
    assert key.admin
    # Another value later is somebody's client setting, not a new key.
    monkeypatch.setenv("RADIXA_API_KEY", "rx-another")
    assert ensure_first_key(store) is None
    assert key_of(store, "rx-another") is None


def test_a_variable_that_opens_nothing_is_said(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_API_KEY", "rx-from-the-environment")
    ensure_first_key(store)
    assert ignored_first_key(store) is None
    monkeypatch.setenv("RADIXA_API_KEY", "rx-another-of-somebody")
    warning = ignored_first_key(store)
    assert warning is not None
    assert "RADIXA_API_KEY is none of this server's keys" in warning
    assert "rx-another-of-somebody" not in warning
    key, secret = store.create_key(ensure_first_account(store).id, "laptop")
    monkeypatch.setenv("RADIXA_API_KEY", secret)
    assert ignored_first_key(store) is None
    store.revoke_key(key.id)
    assert ignored_first_key(store) is not None
    monkeypatch.setenv("RADIXA_API_KEY", "")
    assert ignored_first_key(store) is None


def test_a_plain_key_is_no_first_key(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is whether an administrator's key works, not whether there are keys."""
    monkeypatch.setenv("RADIXA_API_KEY", "rx-from-the-environment")
    account = ensure_first_account(store)
    store.create_key(account.id, "laptop")
    gone, _ = store.create_key(account.id, "lost", admin=True)
    store.revoke_key(gone.id)
    assert not has_administrator(store)
    assert ensure_first_key(store) is None
    key = key_of(store, "rx-from-the-environment")
    assert key is not None
    assert (key.admin, key.account_id) == (True, account.id)
    assert has_administrator(store)


def test_a_first_key_that_can_be_guessed(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_API_KEY", "x" * 15)
    with pytest.raises(ConfigError, match=r"RADIXA_API_KEY: 15 characters can be guessed; .* at least 16"):
        ensure_first_key(store)
    assert store.keys() == []
    monkeypatch.setenv("RADIXA_API_KEY", "x" * 16)
    assert ensure_first_key(store) is None
    assert has_administrator(store)


@pytest.mark.parametrize(("revoked", "says"), [(True, "is revoked"), (False, "is not an administrator's")])
def test_a_first_key_that_is_there_already(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, revoked: bool, says: str
) -> None:
    key, secret = store.create_key(ensure_first_account(store).id, "laptop")
    if revoked:
        store.revoke_key(key.id)
    monkeypatch.setenv("RADIXA_API_KEY", secret)
    with pytest.raises(ConfigError, match=f"must be a new one, .*{key.id}.* {says}"):
        ensure_first_key(store)


@pytest.mark.parametrize("bad", ["with space", "rx-ключ", "tab\t"])
def test_a_first_key_that_no_header_could_carry(store: SqlStore, monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("RADIXA_API_KEY", bad)
    with pytest.raises(ConfigError, match="RADIXA_API_KEY"):
        ensure_first_key(store)


def test_the_first_account_is_made_once(store: SqlStore) -> None:
    assert ensure_first_account(store) == ensure_first_account(store)
    assert len(store.accounts()) == 1


def test_several_threads_at_once(store: SqlStore) -> None:
    account = store.create_account("acme")
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda i: store.create_key(account.id, str(i)), range(24)))
    kept = store.keys()
    assert {key.id for key in kept} == {key.id for key, _ in made}


def test_several_that_start_at_once_on_a_new_database(postgres_schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_API_KEY", "rx-0123456789abcdef")

    def start(_: int) -> str | None:
        store = open_store(StoreConfig(url=postgres_schema))
        with one_at_a_time(store.engine):
            secret = ensure_first_key(store)
        (only,) = store.keys()
        assert only.name == "first key"
        store.close()
        return secret

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(start, range(6))) == [None] * 6


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "expected a URL such as sqlite:///"),
        ("nosuch://host/db", "driver is not installed .*expected sqlite:///… or postgresql://…"),
        ("postgresql://me@127.0.0.1:9/db", "cannot open the database: .*127.0.0.1"),
        ("sqlite:////proc/radixa/x.db", "cannot make"),
    ],
)
def test_a_url_that_cannot_serve_is_named(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_store(StoreConfig(url=url))
    assert "store.url" in caught.value.message


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, long enough not to look like an empty database file" * 20)
    with pytest.raises(ConfigError, match="cannot open the database: file is not a database"):
        open_store(StoreConfig(url=f"sqlite:///{file}"))


def test_the_file_is_an_ordinary_sqlite_database(sqlite_store: SqlStore, file: Path) -> None:
    sqlite_store.create_account("acme")
    outside = sqlite3.connect(file)
    assert outside.execute("SELECT name FROM accounts").fetchall() == [("acme",)]
    outside.close()


def test_nobody_else_can_read_the_database(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever made its folder, and in whatever way new files are usually made."""
    monkeypatch.setenv("RADIXA_HOME", str(file.parent / "elsewhere"))
    file.parent.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        store = open_store(StoreConfig(), file)
        store.create_account("acme")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("radixa.db", "radixa.db-wal", "radixa.db-shm"), 0o600)


def test_a_database_in_the_data_folder_makes_it_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path / "home"))
    open_store(StoreConfig()).close()
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_folder_in_place_of_the_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot open the database"):
        open_store(StoreConfig(url=f"sqlite:///{tmp_path}"))


@pytest.mark.parametrize("url", ["postgresql//me:s3cret@host/db", "nosuch://me:s3cret@host/db?sslpassword=s3cret"])
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(StoreConfig(url=url))
    assert "s3cret" not in caught.value.message
    assert "me:***@host/db" in caught.value.message


def test_a_missing_postgres_driver_names_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"driver is not installed .*pip install 'radixa\[postgres\]'"):
        open_store(StoreConfig(url="postgresql://me:s3cret@host/db"))


def test_the_postgres_extra_is_what_the_url_needs() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert [need.startswith("psycopg[binary]") for need in project["optional-dependencies"]["postgres"]] == [True]
    assert POSTGRES == "postgresql+psycopg"
