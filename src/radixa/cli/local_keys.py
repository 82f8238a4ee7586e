"""Keys and accounts without a server: the store itself, in the shape of the server's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from radixa.core.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from radixa.core.config import Config
    from radixa.store.base import Account, CreditKind, KeyTerms
    from radixa.store.sql import SqlStore


def create(name: str, account: str | None, admin: bool, terms: dict[str, Any]) -> dict[str, Any]:
    """The first key is an administrator's, whatever `admin` says, as it is where a server makes it."""
    from radixa.store.first import ensure_first_account, has_administrator
    from radixa.store.opening import open_account
    from radixa.store.shapes import key_shape

    with _store() as (store, config):
        known = has_administrator(store)
        if account is None:
            owner = ensure_first_account(store)
        else:
            owner = store.find_account(account) or open_account(store, config.accounts, account)
        key, secret = store.create_key(owner.id, name, admin=admin or not known, terms=_terms(terms))
        return {**key_shape(key, owner.name), "key": secret}


def index(account: str | None) -> list[dict[str, Any]]:
    """NotFound where there is no such account."""
    from radixa.store.shapes import key_shape

    with _store() as (store, _):
        owner = _named(store, account) if account else None
        names = {account.id: account.name for account in store.accounts()}
        return [key_shape(key, names[key.account_id]) for key in store.keys(owner.id if owner else None)]


def revoke(key_id: str) -> tuple[dict[str, Any], bool]:
    """The key as it is afterwards, and whether an administrator's key is left."""
    from radixa.store.first import has_administrator
    from radixa.store.shapes import key_shape

    with _store() as (store, _):
        key = store.revoke_key(key_id)
        names = {account.id: account.name for account in store.accounts()}
        return key_shape(key, names[key.account_id]), has_administrator(store)


def open_account(name: str, limits: dict[str, Any]) -> dict[str, Any]:
    """InvalidRequest where the name is taken or cannot be."""
    from radixa.store.base import Limits
    from radixa.store.opening import open_account as opened
    from radixa.store.shapes import account_shape

    credit_limit = _nano(limits.get("credit_limit_usd", 0.0), "--credit-limit")
    with _store() as (store, config):
        bounds = Limits(limits.get("rpm"), limits.get("tpm"), limits.get("concurrency"))
        account = opened(store, config.accounts, name, limits=bounds, credit_limit=credit_limit)
        return account_shape(account, store.granted(account.id).get(account.id, 0))


def accounts() -> list[dict[str, Any]]:
    from radixa.store.shapes import account_shape

    with _store() as (store, _):
        granted = store.granted()
        return [account_shape(account, granted.get(account.id, 0)) for account in store.accounts()]


def credit(account: str, amount: float, once: str | None) -> dict[str, Any]:
    """NotFound where there is no such account, Conflict where `once` has added another amount."""
    from radixa.store.shapes import credit_shape

    nano = _nano(amount, "AMOUNT")
    if not nano:
        raise InvalidRequest("AMOUNT: expected dollars other than 0")
    with _store() as (store, _):
        owner = _named(store, account)
        kind: CreditKind = "top_up" if nano > 0 else "correction"
        entry, new = store.add_credit(owner.id, nano, kind=kind, idempotency_key=once)
        return credit_shape(entry) | {"added": new}


def _named(store: SqlStore, account: str) -> Account:
    found = store.find_account(account)
    if found is None:
        raise NotFound(f"There is no account '{account}'.")
    return found


def _terms(given: dict[str, Any]) -> KeyTerms:
    from radixa.store.base import Budgets, KeyTerms, Limits

    return KeyTerms(
        expires=given.get("expires"),
        models=tuple(given["models"]) if "models" in given else None,
        limits=Limits(given.get("rpm"), given.get("tpm"), given.get("concurrency")),
        budgets=Budgets(
            _nano(given.get("budget_day_usd"), "--budget-day"),
            _nano(given.get("budget_month_usd"), "--budget-month"),
            _nano(given.get("budget_usd"), "--budget"),
        ),
        force_include_usage=given.get("force_include_usage", False),
    )


def _nano(dollars: float | None, what: str) -> int | None:
    from radixa.core.money import nano

    found = None if dollars is None else nano(dollars)
    if dollars is not None and found is None:
        raise InvalidRequest(f"{what} = {dollars}: expected dollars with at most nine decimals")
    return found


@contextmanager
def _store() -> Iterator[tuple[SqlStore, Config]]:
    from radixa.core.loading import load
    from radixa.store.sql import open_store

    config = load().config
    store = open_store(config.store)
    try:
        yield store, config
    finally:
        store.close()
