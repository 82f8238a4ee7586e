"""Rows of the audit log: who did what to whom. The functions work inside their caller's transaction, so that an act and
its entry are both there or neither."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import Connection, insert, select

from radixa.store.base import Actor, AuditEntry
from radixa.store.names import new_id
from radixa.store.schema import audit


def add(connection: Connection, by: Actor, action: str, target: str, account_id: str, **details: Any) -> None:
    """`details`: what was set, as JSON can hold it; never a secret or its digest."""
    connection.execute(
        insert(audit).values(
            id=new_id("aud_"),
            created=int(time.time()),
            actor_account=by.account_id,
            actor_key=by.key_id,
            request_id=by.request_id,
            action=action,
            target=target,
            account_id=account_id,
            details=json.dumps(details),
        )
    )


def entries(connection: Connection, limit: int, before: str | None, account_id: str | None) -> list[AuditEntry]:
    """Newest first."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    if account_id is not None:
        query = query.where(audit.c.account_id == account_id)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _entry(row: Any) -> AuditEntry:
    actor = Actor(row["actor_account"], row["actor_key"], row["request_id"])
    details = json.loads(row["details"])
    return AuditEntry(row["id"], row["created"], actor, row["action"], row["target"], row["account_id"], details)
