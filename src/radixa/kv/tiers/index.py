"""The index of the files: who owns which block, when it was used, and which goes next.

SQLite in WAL mode, used by the background thread alone. It holds nothing that the files' headers do not say but the
times of use, so it is never synced, and one that is broken, or belongs to another secret or version, is thrown away
and made again from the headers. Several processes may have it open: what has to be atomic is one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from radixa.kv.tiers.header import HEADER_BYTES, Header

FILE = "index.db"
_VERSION = 1
_BUSY_SECONDS = 2.0
_TROUBLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""What the disk, the folder or another process does to a sound index; anything else is the index itself."""

_SCHEMA = """
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS owner (secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS total (bytes INTEGER NOT NULL);
INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);
CREATE TABLE IF NOT EXISTS block (
    name BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, parent BLOB NOT NULL, depth INTEGER NOT NULL,
    space BLOB NOT NULL, account BLOB NOT NULL, session BLOB NOT NULL,
    bytes INTEGER NOT NULL, used REAL NOT NULL, created REAL NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_parent ON block (parent);
CREATE INDEX IF NOT EXISTS by_use ON block (used, depth DESC, name);
CREATE INDEX IF NOT EXISTS by_expiry ON block (expires, bytes) WHERE expires > 0;
CREATE TRIGGER IF NOT EXISTS counted AFTER INSERT ON block BEGIN UPDATE total SET bytes = bytes + new.bytes; END;
CREATE TRIGGER IF NOT EXISTS uncounted AFTER DELETE ON block BEGIN UPDATE total SET bytes = bytes - old.bytes; END;
"""


class Entry(NamedTuple):
    """One block's row; the fields are the header's, with the file's size and the last use beside them."""

    name: bytes
    fingerprint: bytes
    parent: bytes
    depth: int
    space: bytes
    account: bytes
    session: bytes
    bytes: int
    used: float
    created: float
    expires: float

    @classmethod
    def of(cls, header: Header, used: float) -> Entry:
        return cls(
            header.name,
            header.fingerprint,
            header.parent,
            header.depth,
            header.space,
            header.account,
            header.session,
            HEADER_BYTES + header.payload_bytes,
            used,
            header.created,
            header.expires,
        )


def is_trouble(error: sqlite3.Error) -> bool:
    """Whether the index may be sound all the same and is to be tried again later."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _TROUBLE


def destroy(folder: Path) -> None:
    """Remove the index; its blocks stay."""
    for suffix in ("", "-wal", "-shm"):
        (folder / (FILE + suffix)).unlink(missing_ok=True)


class Index:
    """An open index. sqlite3.Error from every method, which `is_trouble` sorts."""

    def __init__(self, folder: Path, owner: bytes) -> None:
        """`owner` tells the secret; sqlite3.DatabaseError for an index of another one, or of another version."""
        self._path = folder / FILE
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            self._prepare(owner)
        except BaseException:
            self._db.close()
            raise
        self._inode = self._path.stat().st_ino
        self._seen = self._version()

    def _prepare(self, owner: bytes) -> None:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"the index has version {version}, expected {_VERSION}")
        self._db.execute("PRAGMA synchronous = OFF")
        if version == 0:
            self._db.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        with self.transaction():
            found = self._db.execute("SELECT secret FROM owner").fetchone()
            if found is None:
                self._db.execute("INSERT INTO owner VALUES (?)", (owner,))
            elif found[0] != owner:
                raise sqlite3.DatabaseError("the index was made with another secret")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside happens at once or not at all, for other processes too."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def check(self) -> None:
        """sqlite3.DatabaseError where the index is broken."""
        [(found,)] = self._db.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    @property
    def replaced(self) -> bool:
        """Whether another process has thrown this index away."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def changed(self) -> bool:
        """Whether another process has changed the index since the last call."""
        before, self._seen = self._seen, self._version()
        return before != self._seen

    def _version(self) -> int:
        version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return version

    def total(self) -> int:
        """Bytes of all files."""
        size: int = self._db.execute("SELECT bytes FROM total").fetchone()[0]
        return size

    def rows(self, fingerprint: bytes | None = None) -> list[Entry]:
        """All blocks, or those of a model."""
        query = "SELECT * FROM block"
        if fingerprint is None:
            return [Entry(*row) for row in self._db.execute(query)]
        return [Entry(*row) for row in self._db.execute(query + " WHERE fingerprint = ?", (fingerprint,))]

    def get(self, name: bytes) -> Entry | None:
        row = self._db.execute("SELECT * FROM block WHERE name = ?", (name,)).fetchone()
        return None if row is None else Entry(*row)

    def add(self, entry: Entry) -> None:
        """A block that is there already stays as it is."""
        self._db.execute("INSERT OR IGNORE INTO block VALUES (?,?,?,?,?,?,?,?,?,?,?)", entry)

    def remove(self, names: Iterable[bytes]) -> None:
        self._db.executemany("DELETE FROM block WHERE name = ?", [(name,) for name in names])

    def touch(self, names: Iterable[bytes], used: float, expires: float, session: bytes) -> None:
        """The blocks were used again; one that another session had alone until now is nobody's alone any more."""
        self._db.executemany(
            "UPDATE block SET used = max(used, ?), expires = max(expires, ?),"
            " session = CASE WHEN session = ? THEN session ELSE x'' END WHERE name = ?",
            [(used, expires, session, name) for name in names],
        )

    def retained(self, now: float) -> int:
        """Bytes of the blocks that have not expired yet."""
        size: int = self._db.execute(
            "SELECT coalesce(sum(bytes), 0) FROM block WHERE expires > 0 AND expires > ?", (now,)
        ).fetchone()[0]
        return size

    def oldest(self, retained: bool, now: float, spare: bytes) -> Entry | None:
        """The least recently used block without children, among those that expire later than now or among the others;
        never `spare`."""
        row = self._db.execute(
            "SELECT * FROM block AS leaf WHERE (expires > ?) = ? AND name != ?"
            " AND NOT EXISTS (SELECT 1 FROM block WHERE parent = leaf.name) ORDER BY used, depth DESC, name LIMIT 1",
            (now, retained, spare),
        ).fetchone()
        return None if row is None else Entry(*row)

    def fitting(
        self, space: bytes | None, account: bytes | None, session: bytes | None, prefix: bytes | None
    ) -> list[Entry]:
        """Blocks that fit all that is given, and all that go on from one of them; the deepest first."""
        wanted = [("space = ?", space), ("account = ?", account), ("session = ?", session)]
        if prefix is not None:
            wanted += [("(name = ? OR parent = ?)", prefix)]
        given = [(term, value) for term, value in wanted if value is not None]
        where = " AND ".join(term for term, _ in given) or "1"
        values = [value for term, value in given for _ in range(term.count("?"))]
        return [
            Entry(*row)
            for row in self._db.execute(
                f"WITH RECURSIVE gone (id) AS (SELECT name FROM block WHERE {where}"  # noqa: S608 - fixed terms
                " UNION SELECT name FROM block JOIN gone ON parent = id)"
                " SELECT block.* FROM block JOIN gone ON name = id ORDER BY depth DESC",
                values,
            )
        ]
