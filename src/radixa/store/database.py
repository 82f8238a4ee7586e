"""Opening the database: SQLite in WAL mode by default, any SQLAlchemy URL otherwise, migrated to the newest schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from radixa.core.addresses import without_password
from radixa.core.errors import ConfigError
from radixa.core.paths import make_folder

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

POSTGRES = "postgresql+psycopg"
"""What `postgresql://` means here: psycopg 3, which comes with the extra `radixa[postgres]`."""
_PREPARED = 8
"""Statements that SQLite's driver keeps prepared for a connection; it would keep 128."""
LIBPQ = ("psycopg", "psycopg2")
"""Drivers that take libpq's options."""
_LIMITS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's, so that nobody waits for a host that is gone for longer than half a minute. A URL may name others."""
MIGRATIONS = Path(__file__).parent / "migrations"
_STARTING = 0x7261646978610001
"""The advisory lock of whoever makes tables, or the first account and key: any number that nobody else takes."""


def connect(url: str, default: Path) -> Engine:
    """An engine on a migrated database. `default` is the SQLite file for an empty `url`; its folder is made.

    ConfigError where the URL is not one, its driver is missing, or the database cannot be reached.
    """
    target = _parse(url or f"sqlite:///{default}")
    try:
        engine = _sqlite(target) if target.get_backend_name() == "sqlite" else _server(target)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        ours = target.get_backend_name() == "postgresql"
        how = "pip install 'radixa[postgres]' brings it" if ours else "expected sqlite:///… or postgresql://…"
        raise ConfigError(f"store.url = {_shown(target)}: its driver is not installed ({error}): {how}") from error
    try:
        migrate(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise ConfigError(f"store.url = {_shown(target)}: cannot open the database: {reason(error)}") from error
    return engine


def migrate(engine: Engine) -> None:
    """Apply the migrations that this database does not have yet, each in a transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with one_at_a_time(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[Connection]:
    """A transaction in which no other process is that starts on this database: several may begin at once on a new one.

    SQLite lets one process write at a time by itself.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_STARTING)))
        yield connection


def does_not_answer(error: Exception) -> bool:
    """Whether the database is away, full or locked, rather than asked for something that it cannot do."""
    return isinstance(error, (OperationalError, InterfaceError))


def reason(error: Exception) -> str:
    """What the database or the system said, without the statement and its values."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(said).split()) or type(said).__name__


def insert_or(table: Table, dialect: Dialect) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do where the row is there already: each dialect has one of its own, alike."""
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"store.url = {without_password(url)!r}: expected a URL such as sqlite:///radixa.db or postgresql://…"
        ) from error


def _shown(url: URL) -> str:
    """The URL for a message, its password hidden."""
    return repr(without_password(url.render_as_string(hide_password=True)))


def _server(url: URL) -> Engine:
    """A database server; each connection is tried before it is used, since they drop those that idle."""
    target = url.set(drivername=POSTGRES if url.drivername == "postgresql" else url.drivername)
    takes = target.get_driver_name() in LIBPQ
    limits = {name: value for name, value in _LIMITS.items() if name not in url.query} if takes else {}
    return create_engine(target, pool_pre_ping=True, connect_args=limits)


def _sqlite(url: URL) -> Engine:
    """SQLite as a server needs it: readers beside a writer (WAL), waiting for a lock, foreign keys checked."""
    if url.database and url.database != ":memory:":
        _make_file(Path(url.database).absolute(), url)
    # A batch of rows is a statement of its own length, and of some hundred KiB while the driver keeps it prepared.
    engine = create_engine(url, connect_args={"cached_statements": _PREPARED})

    @event.listens_for(engine, "connect")
    def pragmas(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine


def _make_file(file: Path, url: URL) -> None:
    """Make a missing database, empty and for this user alone; SQLite gives its -wal and -shm the same mode."""
    try:
        make_folder(file.parent)
    except OSError as error:
        raise ConfigError(f"store.url = {_shown(url)}: cannot make {file.parent}: {error.strerror}") from error
    try:
        os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(f"store.url = {_shown(url)}: cannot open the database: {error.strerror}") from error
