"""Files, index and view kept in step. Used by the background thread alone.

The order of steps is what makes a death in between harmless. A file is there before its row: without a row it is
adopted at the next scrub. A file goes before its row: without a file, the row goes at the next scrub or load.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import randrange

from radixa.kv.tiers.base import DropReason, Fingerprint
from radixa.kv.tiers.chain import secret_tag
from radixa.kv.tiers.counters import Counters
from radixa.kv.tiers.files import BlockFiles
from radixa.kv.tiers.header import HEADER_BYTES, BadBlock, Header
from radixa.kv.tiers.index import Entry, Index, destroy, is_trouble
from radixa.kv.tiers.view import View

_SLICE = 64
"""Files looked at between two chances for other work."""


class Archive:
    """Blocks of one model in a folder that other models, and other processes, have blocks in as well.

    OSError and sqlite3.Error from its methods, where none else is named.
    """

    def __init__(
        self,
        folder: Path,
        secret: bytes,
        fingerprint: Fingerprint,
        budget: int,
        lock: threading.Condition,
        clock: Callable[[], float],
    ) -> None:
        self.view = View()
        self.counters = Counters()
        self._lock = lock
        """Held around every change of the view."""
        self._folder = folder
        self._secret = secret
        self._model = fingerprint.digest
        self._budget = budget
        self._clock = clock
        self._files: BlockFiles | None = None
        self._index: Index | None = None

    @property
    def is_open(self) -> bool:
        return self._index is not None

    @property
    def index(self) -> Index:
        """The open index. OSError where there is none now."""
        if self._index is None:
            raise OSError(f"the index in {self._folder} is not open")
        return self._index

    @property
    def files(self) -> BlockFiles:
        """The files, which are there to read even while the index is closed. OSError where they never were."""
        if self._files is None:
            raise OSError(f"{self._folder} is not open")
        return self._files

    def open(self) -> None:
        """Open the folder, made if it is missing. An index of another secret or version, or a broken one, is made anew:
        it is empty then, and only a scrub will find what is there."""
        self.close()
        self._files = BlockFiles(self._folder, self._secret)
        try:
            self._index = Index(self._folder, secret_tag(self._secret))
        except sqlite3.Error as error:
            if is_trouble(error):
                raise
            self.rebuild()
            self._index = Index(self._folder, secret_tag(self._secret))

    def rebuild(self) -> None:
        """Throw the index away; `open` makes another."""
        self.close()
        destroy(self._folder)
        self.counters.index_rebuilds += 1

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def refresh(self, may: Callable[[], bool]) -> bool:
        """Take the view from the index, if `may` holds then, asked with the lock held; whether it was."""
        rows = self.index.rows(self._model)
        self._measure()
        with self._lock:
            taken = may()
            if taken:
                self.view.reset(rows)
        return taken

    def outdated(self) -> bool:
        """Whether another process has changed the index since the last call."""
        return self.index.changed()

    @property
    def replaced(self) -> bool:
        return self.index.replaced

    def read(self, name: bytes, payload: memoryview) -> Header:
        """The block's header; its K and V are in `payload` then. BadBlock, and the block is gone, where it is not
        sound."""
        if self._files is None:
            raise BadBlock("missing")
        try:
            return self._files.read(self._model, name, payload)
        except BadBlock as bad:
            self.drop(name, bad.reason)
            raise

    def drop(self, name: bytes, reason: DropReason) -> None:
        """Remove a block that must not be served."""
        with self._lock:
            known = name in self.view.entries
            self.view.remove(name)
        if known or reason != "missing":
            self.counters.dropped[reason] += 1
        self.files.remove(self._model, name)
        if self._index is not None:
            self._index.remove([name])
            self._measure()

    def has(self, name: bytes, wanted: Callable[[], bool]) -> bool:
        """Whether the index has the block, whatever the view says of what other processes wrote and removed; the view
        follows, and shows the block where `wanted` holds, asked with the lock held."""
        entry = self.index.get(name)
        with self._lock:
            if entry is None:
                self.view.remove(name)
            elif wanted():
                self.view.add(entry)
        return entry is not None

    def make_room(self, size: int, spare: bytes = b"") -> bool:
        """Evict until `size` bytes more are within the budget; False where that cannot be without evicting `spare`.

        Blocks that have not expired go last, as long as they take up no more than half of the budget: beyond that they
        go first, so that nobody's retention shuts out the others.
        """
        index = self.index
        while index.total() + size > self._budget:
            now = self._clock()
            retained = index.retained(now) > self._budget // 2
            victim = index.oldest(retained, now, spare) or index.oldest(not retained, now, spare)
            if victim is None:
                return False
            self._remove(victim)
            self.counters.evicted_blocks += 1
        return True

    def put(self, header: Header, payload: memoryview, wanted: Callable[[], bool]) -> int:
        """Write a block; its bytes. It shows in the view only where `wanted` still holds when it is there, asked with
        the lock held."""
        size = self.files.write(header, payload)
        entry = Entry.of(header, self._clock())
        try:
            self.index.add(entry)
        except sqlite3.Error:
            self.files.remove(header.fingerprint, header.name)
            raise
        self._measure()
        with self._lock:
            if wanted():
                self.view.add(entry)
        return size

    def touch(self, names: Iterable[bytes], expires: float, session: bytes) -> None:
        """Blocks were used: by this session, and wanted until then at least."""
        names = list(names)
        with self._lock:
            self.view.touch(names, session)
        if self._index is not None:
            with self._index.transaction():
                self._index.touch(names, self._clock(), expires, session)

    def delete(self, space: bytes | None, account: bytes | None, session: bytes | None, prefix: bytes | None) -> int:
        """Remove the blocks that `Index.fitting` finds, of every model; how many."""
        gone = self.index.fitting(space, account, session, prefix)
        for entry in gone:
            self._remove(entry)
        self.counters.deleted_blocks += len(gone)
        return len(gone)

    def any_name(self) -> bytes | None:
        """One of the blocks at random, None where there is none."""
        with self._lock:
            entries = self.view.entries
            return next(islice(entries, randrange(len(entries)), None)) if entries else None

    def scrub(self) -> Iterator[None]:
        """Compare files and rows and mend what differs, in slices. The view does not change but for what goes."""
        index, files = self.index, self.files
        index.check()
        rows = {entry.name: entry for entry in index.rows()}
        for at, (fingerprint, name) in enumerate(files.scan()):
            if not at % _SLICE:
                yield
            row = rows.pop(name, None)
            if row is None or row.fingerprint != fingerprint:
                self._adopt(fingerprint, name)
        for at, entry in enumerate(rows.values()):
            if not at % _SLICE:
                yield
            # What was evicted or written while this went on is neither missing nor without a row.
            if not os.path.exists(files.path(entry.fingerprint, entry.name)) and index.get(entry.name) is not None:
                self.counters.dropped["missing"] += 1
                self._remove(entry)
        self.make_room(0)

    def _adopt(self, fingerprint: bytes, name: bytes) -> None:
        try:
            header, size, written = self.files.inspect(fingerprint, name)
        except BadBlock as bad:
            if bad.reason != "missing":
                self.counters.dropped[bad.reason] += 1
                self.files.remove(fingerprint, name)
            return
        assert size == HEADER_BYTES + header.payload_bytes, "a file of the wrong size passed as sound"
        if self.index.get(name) is None:
            self.index.add(Entry.of(header, written))
            self.counters.adopted_blocks += 1
            self._measure()

    def _remove(self, entry: Entry) -> None:
        with self._lock:
            self.view.remove(entry.name)
        self.files.remove(entry.fingerprint, entry.name)
        self.index.remove([entry.name])
        self._measure()

    def _measure(self) -> None:
        self.counters.bytes = self.index.total()
