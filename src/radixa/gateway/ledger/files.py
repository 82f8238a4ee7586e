"""Write-ahead files: each has one process that holds it, and belongs to nobody once that process is dead.

A file is held by an exclusive `flock`, which ends with its process however that ends. A file is made and locked, and
unheld files are looked for, only under the folder's own lock, so that no new file is taken for one left behind.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from radixa.core.paths import make_folder

SUFFIX = ".wal"
DAMAGED = ".damaged"
_READ_BYTES = 1 << 16


@dataclass(slots=True)
class HeldFile:
    """A file that this process holds. `size` and `rows` are what was written to it by this process."""

    path: Path
    descriptor: int
    size: int = 0
    rows: int = 0
    torn: bool = False
    """Whether bytes of a failed write may lie after `size`."""

    def pieces(self) -> Iterator[bytes]:
        """What lies in it, from its beginning, some of it at a time."""
        at = 0
        while piece := os.pread(self.descriptor, _READ_BYTES, at):
            yield piece
            at += len(piece)

    def remove(self) -> None:
        """The file is gone, and this process holds it no longer."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)

    def set_aside(self) -> Path:
        """Keep the file under a name that nobody replays; returns its new path."""
        kept = self.path.with_suffix(DAMAGED)
        self.path.rename(kept)
        os.close(self.descriptor)
        return kept

    def release(self) -> None:
        """Leave the file to whoever starts next."""
        os.close(self.descriptor)


def new_file(folder: Path) -> HeldFile:
    """An empty file, held by this process, for its user alone. OSError where it cannot be made."""
    with _gate(folder):
        path = folder / f"{time.time_ns():016x}-{secrets.token_hex(4)}{SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sync_folder(folder)
    return HeldFile(path, descriptor)


def claim(folder: Path) -> list[HeldFile]:
    """The files that nobody holds, oldest first; from now on this process does."""
    found: list[HeldFile] = []
    if not folder.is_dir():
        return found
    with _gate(folder):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                # Its process has emptied it meanwhile.
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                found.append(HeldFile(path, descriptor))
    return found


@contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """The folder's own lock, held for moments only; the folder is made where it is missing."""
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """A file is as durable as the folder's entry for it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
