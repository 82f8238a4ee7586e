"""Rows of keys. The functions work inside their caller's transaction."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import Connection, insert, select, update

from radixa.core.errors import NotFound
from radixa.store import accounts, credit_entries
from radixa.store.accounts import limit_columns, limits_of
from radixa.store.base import ApiKey, Budgets, Credential, KeyTerms
from radixa.store.names import check_name, new_id
from radixa.store.schema import keys
from radixa.store.secrets import digest, hint


def create(connection: Connection, account_id: str, name: str, *, admin: bool, secret: str, terms: KeyTerms) -> ApiKey:
    """NotFound where there is no such account, InvalidRequest for a name that cannot be kept."""
    check_name(name, "name")
    accounts.get(connection, account_id)
    key = ApiKey(
        id=new_id("key_"),
        account_id=account_id,
        name=name,
        digest=digest(secret),
        hint=hint(secret),
        admin=admin,
        created=int(time.time()),
        terms=terms,
    )
    connection.execute(
        insert(keys).values(
            id=key.id,
            account_id=account_id,
            name=name,
            digest=key.digest,
            hint=key.hint,
            admin=admin,
            created=key.created,
            **_columns(terms),
        )
    )
    return key


def change(connection: Connection, key_id: str, name: str, terms: KeyTerms) -> ApiKey:
    """NotFound where there is no such key, InvalidRequest for a name that cannot be kept."""
    check_name(name, "name")
    connection.execute(update(keys).where(keys.c.id == key_id).values(name=name, **_columns(terms)))
    return get(connection, key_id)


def revoke(connection: Connection, key_id: str) -> tuple[ApiKey, bool]:
    """The key as it is afterwards, and whether it was not revoked before: twice keeps the first time."""
    done = connection.execute(
        update(keys).where(keys.c.id == key_id, keys.c.revoked.is_(None)).values(revoked=int(time.time()))
    )
    return get(connection, key_id), done.rowcount > 0


def get(connection: Connection, key_id: str) -> ApiKey:
    """NotFound where there is no such key."""
    row = connection.execute(select(keys).where(keys.c.id == key_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no key '{key_id}'.", param="id")
    return _key(row)


def credential(connection: Connection, wanted: str) -> Credential | None:
    """The key of that digest, revoked or not, with its account."""
    row = connection.execute(select(keys).where(keys.c.digest == wanted)).mappings().first()
    if row is None:
        return None
    key = _key(row)
    account = accounts.get(connection, key.account_id)
    return Credential(key, account, credit_entries.granted(connection, account.id).get(account.id, 0))


def every(connection: Connection, account_id: str | None) -> list[ApiKey]:
    """Oldest first."""
    query = select(keys).order_by(keys.c.created, keys.c.id)
    if account_id is not None:
        query = query.where(keys.c.account_id == account_id)
    return [_key(row) for row in connection.execute(query).mappings()]


def _key(row: Any) -> ApiKey:
    terms = KeyTerms(
        expires=row["expires"],
        models=None if row["models"] is None else tuple(json.loads(row["models"])),
        limits=limits_of(row),
        budgets=Budgets(row["budget_day"], row["budget_month"], row["budget_total"]),
        force_include_usage=row["force_include_usage"],
    )
    same = {name: row[name] for name in ("id", "account_id", "name", "digest", "hint", "admin", "created", "revoked")}
    return ApiKey(**same, terms=terms)


def _columns(terms: KeyTerms) -> dict[str, Any]:
    return {
        "expires": terms.expires,
        "models": None if terms.models is None else json.dumps(terms.models),
        "budget_day": terms.budgets.day,
        "budget_month": terms.budgets.month,
        "budget_total": terms.budgets.total,
        "force_include_usage": terms.force_include_usage,
        **limit_columns(terms.limits),
    }
