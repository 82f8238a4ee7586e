"""A real PostgreSQL for all tests of a run: a schema with a store's tables, emptied for each test, or a new one."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# All tests load this file, and few of them need what follows.
if TYPE_CHECKING:
    from sqlalchemy import Engine

    from radixa.store.sql import SqlStore

START_S = 30


@pytest.fixture
def postgres_store(postgres_migrated: str) -> Iterator[SqlStore]:
    """Emptied by whoever comes next, so that one test's failure is not another's."""
    from sqlalchemy import inspect, text

    from radixa.core.config import StoreConfig
    from radixa.store.sql import open_store

    found = open_store(StoreConfig(url=postgres_migrated))
    tables = [name for name in inspect(found.engine).get_table_names() if name != "alembic_version"]
    with found.engine.begin() as connection:
        # A transaction that another test left open is that test's fault, not to be waited for.
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def postgres_migrated(postgres_url: str) -> Iterator[str]:
    """The URL of a schema with all tables, made once."""
    from radixa.core.config import StoreConfig
    from radixa.store.sql import open_store

    with _schema(postgres_url) as url:
        open_store(StoreConfig(url=url)).close()
        yield url


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[str]:
    """The URL of a new schema, so that nothing else in that database is touched."""
    with _schema(postgres_url) as url:
        yield url


@contextmanager
def _schema(postgres_url: str) -> Iterator[str]:
    from sqlalchemy import make_url, text

    name = f"radixa_test_{secrets.token_hex(6)}"
    engine = _engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    url = make_url(postgres_url).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """`RADIXA_TEST_POSTGRES_URL`, else a cluster of this test's own where PostgreSQL is installed."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'radixa[postgres]'")
    given = os.environ.get("RADIXA_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = _programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: install it, or set RADIXA_TEST_POSTGRES_URL")
    # Not in pytest's folder, which only its own user may enter.
    folder = Path(tempfile.mkdtemp(prefix="radixa-postgres-"))
    try:
        yield from _cluster(programs, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them out of the PATH."""
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")), default=None)


def _cluster(programs: Path, folder: Path) -> Iterator[str]:
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "radixa", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        user=user, cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
        user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"postgresql://radixa@/postgres?host={folder}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(START_S)


def _user() -> str | None:
    """Somebody else's name where this is root, as whom PostgreSQL does not run."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, make_url

    from radixa.store.database import POSTGRES

    return create_engine(make_url(url).set(drivername=POSTGRES))


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    from sqlalchemy.exc import OperationalError

    engine = _engine(url)
    until = time.monotonic() + START_S
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            assert process.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < until, "PostgreSQL does not answer"
            time.sleep(0.05)
        else:
            engine.dispose()
            return
