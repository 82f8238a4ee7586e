"""`Store` over SQLAlchemy Core."""

from __future__ import annotations

import os
import secrets as random
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from radixa.core.config import StoreConfig
from radixa.core.errors import ConfigError, InvalidRequest, NotFound
from radixa.core.paths import paths
from radixa.store.base import Account, ApiKey, Store
from radixa.store.database import connect
from radixa.store.schema import accounts, keys
from radixa.store.secrets import digest, hint, new_secret

_ACCOUNT = "acct_"
_LONGEST_NAME = 200
_LEAST_KEY = 16
"""Characters of a key that somebody else made: fewer cannot be the 128 bits that make a plain hash safe."""


class SqlStore:
    """Accounts and keys in a database. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_account(self, name: str) -> Account:
        """InvalidRequest where the name is taken, could be an id, or cannot be kept."""
        _check_name(name, "account")
        if name.startswith(_ACCOUNT):
            raise InvalidRequest(
                f"There is no account '{name}', and none can be named so: ids begin with '{_ACCOUNT}'.", param="account"
            )
        account = Account(id=_new_id(_ACCOUNT), name=name, created=int(time.time()))
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(accounts).values(id=account.id, name=account.name, created=account.created))
        except IntegrityError as error:
            raise InvalidRequest(f"There is already an account named '{name}'.", param="account") from error
        return account

    def accounts(self) -> list[Account]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(accounts).order_by(accounts.c.created, accounts.c.id))
            return [Account(**row) for row in rows.mappings()]

    def find_account(self, id_or_name: str) -> Account | None:
        with self._engine.connect() as connection:
            either = (accounts.c.id == id_or_name) | (accounts.c.name == id_or_name)
            row = connection.execute(select(accounts).where(either)).mappings().first()
            return Account(**row) if row else None

    def create_key(
        self, account_id: str, name: str, *, admin: bool = False, secret: str | None = None
    ) -> tuple[ApiKey, str]:
        """NotFound where there is no such account, InvalidRequest for a name that cannot be kept."""
        _check_name(name, "name")
        secret = secret or new_secret()
        key = ApiKey(
            id=_new_id("key_"),
            account_id=account_id,
            name=name,
            digest=digest(secret),
            hint=hint(secret),
            admin=admin,
            created=int(time.time()),
        )
        with self._engine.begin() as connection:
            if connection.execute(select(accounts.c.id).where(accounts.c.id == account_id)).first() is None:
                raise NotFound(f"There is no account '{account_id}'.", param="account")
            connection.execute(
                insert(keys).values(
                    id=key.id,
                    account_id=key.account_id,
                    name=key.name,
                    digest=key.digest,
                    hint=key.hint,
                    admin=key.admin,
                    created=key.created,
                )
            )
        return key, secret

    def key_by_digest(self, digest: str) -> ApiKey | None:
        with self._engine.connect() as connection:
            found = connection.execute(select(keys).where(keys.c.digest == digest, keys.c.revoked.is_(None)))
            row = found.mappings().first()
            return _key(row) if row else None

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        """All keys, revoked ones too, oldest first; of one account where `account_id` says so."""
        query = select(keys).order_by(keys.c.created, keys.c.id)
        if account_id is not None:
            query = query.where(keys.c.account_id == account_id)
        with self._engine.connect() as connection:
            return [_key(row) for row in connection.execute(query).mappings()]

    def revoke_key(self, key_id: str) -> ApiKey:
        """The key as it is afterwards; revoking twice keeps the first time."""
        with self._engine.begin() as connection:
            connection.execute(
                update(keys).where(keys.c.id == key_id, keys.c.revoked.is_(None)).values(revoked=int(time.time()))
            )
            row = connection.execute(select(keys).where(keys.c.id == key_id)).mappings().first()
        if row is None:
            raise NotFound(f"There is no key '{key_id}'.", param="id")
        return _key(row)

    def close(self) -> None:
        self._engine.dispose()


def _check_name(name: str, field: str) -> None:
    """What every database can keep: not all take a zero byte, and none takes half a character."""
    halves = any("\ud800" <= sign <= "\udfff" for sign in name)
    if not 1 <= len(name) <= _LONGEST_NAME or "\0" in name or halves:
        raise InvalidRequest(
            f"Invalid '{field}': expected a name of 1 to {_LONGEST_NAME} characters, in valid Unicode, no zero byte.",
            param=field,
        )


def _new_id(kind: str) -> str:
    """An id that sorts by its time, so that "oldest first" also holds within a second."""
    return f"{kind}{time.time_ns():016x}{random.token_hex(4)}"


def _key(row: Any) -> ApiKey:
    return ApiKey(**row)


def open_store(config: StoreConfig, default: Path | None = None) -> SqlStore:
    """The store that the configuration names, migrated. `default`: the SQLite file instead of the data folder's."""
    return SqlStore(connect(config.url, default or paths().database))


def has_administrator(store: Store) -> bool:
    """Whether any key can still manage the others."""
    known = store.keys()
    return any(key.admin and key.revoked is None for key in known)


def ensure_first_key(store: Store) -> str | None:
    """Where no administrator's key works, make one, of the first account; returns its secret if it was generated.

    `RADIXA_API_KEY`, where it is set and not empty, is that key instead: ConfigError where it cannot be. On later
    starts nothing happens.
    """
    if has_administrator(store):
        return None
    given = os.environ.get("RADIXA_API_KEY") or None
    if given is not None:
        _check_given(store, given)
    account = ensure_first_account(store)
    _, secret = store.create_key(account.id, "first key", admin=True, secret=given)
    return secret if given is None else None


def ignored_first_key(store: Store) -> str | None:
    """A warning where `RADIXA_API_KEY` is set and opens nothing, since the first key was made without it."""
    given = os.environ.get("RADIXA_API_KEY") or None
    if given is None or store.key_by_digest(digest(given)) is not None:
        return None
    return (
        "RADIXA_API_KEY is none of this server's keys and is not made one: it becomes the first key only where no "
        "administrator's key works yet. `radixa keys list` shows those that do."
    )


def ensure_first_account(store: Store) -> Account:
    """The oldest account, made where there is none: the administrator's, and everyone's under `--no-auth`."""
    existing = store.accounts()
    return existing[0] if existing else store.create_account("default")


def _check_given(store: Store, secret: str) -> None:
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ConfigError("RADIXA_API_KEY: expected printable ASCII characters without spaces, it travels in a header")
    if len(secret) < _LEAST_KEY:
        raise ConfigError(
            f"RADIXA_API_KEY: {len(secret)} characters can be guessed; the first key needs at least {_LEAST_KEY}, such "
            "as rx- and what `openssl rand -hex 16` prints"
        )
    existing = store.keys()
    known = next((key for key in existing if key.digest == digest(secret)), None)
    if known is not None:
        state = "is revoked" if known.revoked is not None else "is not an administrator's"
        raise ConfigError(f"RADIXA_API_KEY: the first key must be a new one, and this one ({known.id}) {state}")
