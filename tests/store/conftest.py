"""Stores to test with: each in a SQLite file of its own, and in a real PostgreSQL (`tests/postgres.py`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.store.sql import SqlStore, open_store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "radixa.db"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, migrated once; each test works on a copy."""
    file = tmp_path_factory.mktemp("store") / "radixa.db"
    open_store(StoreConfig(), file).close()
    return file


@pytest.fixture
def sqlite_store(file: Path, migrated: Path) -> Iterator[SqlStore]:
    file.parent.mkdir(mode=0o700)
    shutil.copy(migrated, file)
    found = open_store(StoreConfig(), file)
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> SqlStore:
    """An empty store in either database."""
    found: SqlStore = request.getfixturevalue(f"{request.param}_store")
    return found
