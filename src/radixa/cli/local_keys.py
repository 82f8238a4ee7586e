"""Keys without a server: the store itself, in the shape of the server's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from radixa.core.errors import NotFound

if TYPE_CHECKING:
    from radixa.store.base import ApiKey, Store


def create(name: str, account: str | None, admin: bool) -> dict[str, Any]:
    """The first key is an administrator's, whatever `admin` says, as it is where a server makes it."""
    from radixa.store.sql import ensure_first_account, has_administrator

    with _store() as store:
        if account is None:
            owner = ensure_first_account(store)
        else:
            owner = store.find_account(account) or store.create_account(account)
        key, secret = store.create_key(owner.id, name, admin=admin or not has_administrator(store))
        return {**_public(key, owner.name), "key": secret}


def index(account: str | None) -> list[dict[str, Any]]:
    """NotFound where there is no such account."""
    with _store() as store:
        owner = store.find_account(account) if account else None
        if account and owner is None:
            raise NotFound(f"There is no account '{account}'.")
        names = {account.id: account.name for account in store.accounts()}
        return [_public(key, names[key.account_id]) for key in store.keys(owner.id if owner else None)]


def revoke(key_id: str) -> tuple[dict[str, Any], bool]:
    """The key as it is afterwards, and whether an administrator's key is left."""
    from radixa.store.sql import has_administrator

    with _store() as store:
        key = store.revoke_key(key_id)
        names = {account.id: account.name for account in store.accounts()}
        return _public(key, names[key.account_id]), has_administrator(store)


@contextmanager
def _store() -> Iterator[Store]:
    from radixa.core.config import load
    from radixa.store.sql import open_store

    store = open_store(load().config.store)
    try:
        yield store
    finally:
        store.close()


def _public(key: ApiKey, account: str) -> dict[str, Any]:
    """Everything but the hash, and the account's name."""
    return {name: value for name, value in asdict(key).items() if name != "digest"} | {"account": account}
