"""`Journal`: the write-ahead file that this process writes to, and the full ones it has yet to empty."""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path

from radixa.core.errors import LedgerUnavailable
from radixa.gateway.ledger.files import HeldFile, new_file

FULL_BYTES = 8 << 20
"""So that what is in the database lies no longer on the disk, also while rows come without a pause."""


class Journal:
    """Appends come from the event loop, everything else from the ledger's threads."""

    def __init__(self, folder: Path, full_bytes: int = FULL_BYTES) -> None:
        """OSError where no file can be made in `folder`."""
        self.folder = folder
        self.appended = 0
        """Rows, since the start."""
        self.sealed: deque[HeldFile] = deque()
        """Files that are written no more, oldest first."""
        self._full_bytes = full_bytes
        self._lock = threading.Lock()
        self._sealing = threading.Lock()
        self._current = new_file(folder)
        self._unsynced = False
        self._closed = False

    def append(self, data: bytes) -> None:
        """One row, in the hands of the operating system when this returns. LedgerUnavailable where it cannot be."""
        with self._lock:
            if self._closed:
                raise LedgerUnavailable("The server is stopping and takes no more requests.")
            file = self._current
            try:
                if file.torn:
                    os.ftruncate(file.descriptor, file.size)
                    file.torn = False
                left = data
                while left:
                    file.torn = True
                    left = left[os.write(file.descriptor, left) :]
                file.torn = False
            except OSError as error:
                self._cut(file)
                raise LedgerUnavailable(
                    f"This request cannot be written to the ledger, so it is not answered: {error.strerror}."
                ) from error
            file.size += len(data)
            file.rows += 1
            self.appended += 1
            self._unsynced = True

    def _cut(self, file: HeldFile) -> None:
        """Take what a failed write left off the file; where that fails too, the next append does it first."""
        try:
            os.ftruncate(file.descriptor, file.size)
        except OSError:
            return
        file.torn = False

    def seal(self, *, full: bool = False) -> None:
        """Write to a new file from now on, and the present one no more, if it has any rows or `full`, is full.

        OSError where there cannot be a new file; then the present one goes on.
        """
        least = self._full_bytes if full else 1
        with self._sealing:
            if self._current.size < least:
                return
            fresh = new_file(self.folder)
            with self._lock:
                done, self._current = self._current, fresh
            try:
                if done.torn:
                    os.ftruncate(done.descriptor, done.size)
                os.fsync(done.descriptor)
            finally:
                # Only now: whoever empties it closes it.
                self.sealed.append(done)

    def sync(self) -> None:
        """What was appended outlives the machine's death when this returns. OSError where the disk fails."""
        with self._lock:
            if not self._unsynced:
                return
            self._unsynced = False
            # A copy, since the file may be sealed, emptied and closed meanwhile.
            descriptor = os.dup(self._current.descriptor)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        """No more rows."""
        with self._lock:
            self._closed = True

    def release(self) -> None:
        """Leave what is not emptied to the next start. Nobody reads or writes any more."""
        for file in self.sealed:
            file.release()
        self.sealed.clear()
        if self._current.size:
            os.fsync(self._current.descriptor)
            self._current.release()
        else:
            self._current.remove()
