"""Rows of accounts. The functions work inside their caller's transaction."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, insert, select, update

from radixa.core.errors import InvalidRequest, NotFound
from radixa.store.base import Account, Limits
from radixa.store.names import check_name, new_id
from radixa.store.schema import accounts

PREFIX = "acct_"


def create(connection: Connection, name: str, limits: Limits, credit_limit: int | None) -> Account:
    """InvalidRequest for a name that could be an id or cannot be kept, IntegrityError for one that is taken."""
    check_name(name, "account")
    if name.startswith(PREFIX):
        raise InvalidRequest(
            f"There is no account '{name}', and none can be named so: ids begin with '{PREFIX}'.", param="account"
        )
    account = Account(new_id(PREFIX), name, int(time.time()), limits, credit_limit)
    connection.execute(
        insert(accounts).values(
            id=account.id, name=name, created=account.created, credit_limit=credit_limit, **limit_columns(limits)
        )
    )
    return account


def change(connection: Connection, account_id: str, limits: Limits, credit_limit: int | None) -> Account:
    """NotFound where there is no such account."""
    connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(credit_limit=credit_limit, **limit_columns(limits))
    )
    return get(connection, account_id)


def get(connection: Connection, account_id: str) -> Account:
    """NotFound where there is no such account."""
    row = connection.execute(select(accounts).where(accounts.c.id == account_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no account '{account_id}'.", param="account")
    return account_of(row)


def find(connection: Connection, id_or_name: str) -> Account | None:
    either = (accounts.c.id == id_or_name) | (accounts.c.name == id_or_name)
    row = connection.execute(select(accounts).where(either)).mappings().first()
    return account_of(row) if row else None


def every(connection: Connection) -> list[Account]:
    """Oldest first."""
    rows = connection.execute(select(accounts).order_by(accounts.c.created, accounts.c.id))
    return [account_of(row) for row in rows.mappings()]


def account_of(row: Any) -> Account:
    return Account(row["id"], row["name"], row["created"], limits_of(row), row["credit_limit"])


def limits_of(row: Any) -> Limits:
    return Limits(row["rpm"], row["tpm"], row["concurrency"])


def limit_columns(limits: Limits) -> dict[str, int | None]:
    return {"rpm": limits.rpm, "tpm": limits.tpm, "concurrency": limits.concurrency}
