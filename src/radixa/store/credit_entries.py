"""Rows of credits: entries that are added and never changed. The functions work inside their caller's transaction."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, func, insert, select

from radixa.core.errors import Conflict
from radixa.core.money import usd
from radixa.store.base import Credit, CreditKind
from radixa.store.names import new_id
from radixa.store.schema import credits_


def add(
    connection: Connection, account_id: str, amount: int, kind: CreditKind, note: str, idempotency_key: str | None
) -> Credit:
    """IntegrityError where that key has added an entry already."""
    credit = Credit(new_id("cred_"), account_id, kind, amount, int(time.time()), note)
    connection.execute(
        insert(credits_).values(
            id=credit.id,
            account_id=account_id,
            kind=kind,
            amount=amount,
            created=credit.created,
            note=note,
            idempotency_key=idempotency_key,
        )
    )
    return credit


def added(
    connection: Connection, account_id: str, idempotency_key: str, amount: int, kind: CreditKind
) -> Credit | None:
    """The entry that this key has added. Conflict where it is another one than is asked for now."""
    query = select(credits_).where(credits_.c.account_id == account_id, credits_.c.idempotency_key == idempotency_key)
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    credit = _credit(row)
    if (credit.amount, credit.kind) != (amount, kind):
        raise Conflict(
            f"This idempotency key has added another entry: {credit.kind} of {usd(credit.amount)} $ ({credit.id}). "
            f"Expected the same again, or a new key.",
            param="idempotency_key",
            code="idempotency_conflict",
        )
    return credit


def every(connection: Connection, account_id: str) -> list[Credit]:
    """Oldest first."""
    query = select(credits_).where(credits_.c.account_id == account_id).order_by(credits_.c.id)
    return [_credit(row) for row in connection.execute(query).mappings()]


def granted(connection: Connection, account_id: str | None = None) -> dict[str, int]:
    """The sum of each account's entries; accounts without any are absent."""
    query = select(credits_.c.account_id, func.sum(credits_.c.amount)).group_by(credits_.c.account_id)
    if account_id is not None:
        query = query.where(credits_.c.account_id == account_id)
    # PostgreSQL's sum of integers is a decimal.
    return {account: int(total) for account, total in connection.execute(query)}


def _credit(row: Any) -> Credit:
    return Credit(row["id"], row["account_id"], row["kind"], row["amount"], row["created"], row["note"])
