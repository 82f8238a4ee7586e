"""A ledger over a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from radixa.gateway.ledger.book import Ledger
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import SqlStore

__all__ = ["book", "folder", "ledger"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def book(store: SqlStore) -> SqlLedger:
    """What is in the database."""
    return SqlLedger(store.engine)


@pytest.fixture
def ledger(book: SqlLedger, folder: Path) -> Iterator[Ledger]:
    """Moves rows at once, not twice a second."""
    found = Ledger(book, folder, move_s=0.01)
    found.start()
    yield found
    found.close()
