"""One gateway a SQLite database: its counters are in memory, so two processes would each grant the whole of a limit."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import Engine

from radixa.core.errors import ConfigError


class Owner:
    """Holds a database for this process. The lock goes with the process, however it ends."""

    def __init__(self, engine: Engine) -> None:
        """ConfigError where another process has it. A database server, or one in memory, is nobody's own."""
        self._lock: int | None = None
        if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
            self._lock = _lock(Path(str(engine.url.database)).absolute())

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(database: Path) -> int:
    """A locked descriptor of a file beside the database; the file itself stays, or a third process could miss it."""
    descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(
            f"store.url: another `radixa serve` uses {database}. Several over one database need PostgreSQL "
            "(store.url = postgresql://…), or give each its own (RADIXA_HOME)."
        ) from error
    return descriptor
