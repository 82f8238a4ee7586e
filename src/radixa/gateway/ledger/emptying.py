"""From write-ahead files into the database, each row once."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from radixa.core.errors import RowsRefused
from radixa.gateway.ledger.files import HeldFile, claim
from radixa.gateway.ledger.frames import Damage, frame, frames
from radixa.store.ledger.base import LedgerRow
from radixa.store.ledger.sql import SqlLedger

log = logging.getLogger("radixa.gateway")

BATCH = 250
"""Rows in one transaction: while it lasts, all of them are in memory, some KiB each."""
REFUSED = "refused-rows"
"""The file that keeps, in the same form, the rows that the database does not take."""


def recover(store: SqlLedger, folder: Path) -> int:
    """Empty the files that dead processes left in `folder`; how many rows were new. SQLAlchemyError, OSError where
    that cannot be now: then the files stay."""
    files = claim(folder)
    added = 0
    try:
        while files:
            added += empty(store, files[0])
            files.pop(0)
    finally:
        for file in files:
            file.release()
    return added


def empty(store: SqlLedger, file: HeldFile) -> int:
    """Add a file's rows, then remove it; how many were new. Rows that were added before are known by their ids, so a
    file of which a part was added, or all, may be emptied again."""
    rows: list[LedgerRow] = []
    added, damaged = 0, False
    for found in frames(file.pieces()):
        if isinstance(found, Damage):
            damaged = True
            log.error("%s: bytes %d to %d are no row of the ledger", file.path, found.start, found.end)
            continue
        rows.append(found)
        if len(rows) == BATCH:
            added += _add(store, rows, file.path.parent)
            rows = []
    added += _add(store, rows, file.path.parent)
    if damaged:
        log.error("%s is damaged and is kept as %s; what could be read of it was added", file.path, file.set_aside())
    else:
        file.remove()
    return added


def _add(store: SqlLedger, rows: Sequence[LedgerRow], folder: Path) -> int:
    """Add what the database takes; a row that it never will is kept in a file instead of holding up the others."""
    try:
        return store.add(rows)
    except RowsRefused as error:
        if len(rows) > 1:
            half = len(rows) // 2
            return _add(store, rows[:half], folder) + _add(store, rows[half:], folder)
        kept = folder / REFUSED
        log.error("%s: request %s; the row is kept in %s", error.message, rows[0].request_id, kept)
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(frame(rows[0]))
            file.flush()
            os.fsync(descriptor)
        return 0
