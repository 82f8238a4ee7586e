"""Emptying a file takes as much memory for many rows as for some."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

from radixa.gateway.ledger.emptying import BATCH, empty
from radixa.gateway.ledger.files import HeldFile, new_file
from radixa.gateway.ledger.frames import frame
from radixa.store.ledger.sql import SqlLedger
from tests.store.ledger.rows import row


def written(folder: Path, name: str, rows: int) -> HeldFile:
    file = new_file(folder)
    os.write(file.descriptor, b"".join(frame(row(f"req_{name}_{number}")) for number in range(rows)))
    return file


def peak(book: SqlLedger, file: HeldFile) -> int:
    """Bytes of Python's that emptying it needs at most."""
    tracemalloc.start()
    try:
        empty(book, file)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_long_file_takes_no_more_memory_than_a_short_one(book: SqlLedger, folder: Path) -> None:
    empty(book, written(folder, "first", 2 * BATCH))
    short = peak(book, written(folder, "short", 2 * BATCH))
    long = peak(book, written(folder, "long", 10 * BATCH))
    assert long < 1.5 * short
    assert short < BATCH * 4_096
