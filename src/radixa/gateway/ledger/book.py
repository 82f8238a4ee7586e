"""`Ledger`: one row for each answered request, safe before the answer ends, in the database soon after.

`append` writes a row to a file of this process, which outlives the process. Two threads do the rest: one makes the file
outlive the machine, ten times a second; the other moves rows to the database. A row whose file was not emptied when the
process died is added by the next start, and one that was in the database already is known by its request's id.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from radixa.core.errors import LedgerUnavailable
from radixa.gateway.ledger.emptying import empty, recover
from radixa.gateway.ledger.frames import frame
from radixa.gateway.ledger.journal import Journal
from radixa.store.database import reason
from radixa.store.ledger.base import LedgerRow
from radixa.store.ledger.fitting import fitting
from radixa.store.ledger.sql import SqlLedger

log = logging.getLogger("radixa.gateway")

SYNC_S = 0.1
MOVE_S = 0.5
"""The longest that a row waits for its batch."""
LONGEST_WAIT_S = 5.0
"""Between two tries while the database does not answer."""


class Ledger:
    """`folder` is of this installation; any number of processes may share it, each with files of its own."""

    def __init__(self, store: SqlLedger, folder: Path, *, move_s: float = MOVE_S) -> None:
        self.store = store
        self.folder = folder
        self._move_s = move_s
        self._failing = False
        self._moved = 0
        """Rows of this process that are in the database."""
        self._stopping = False
        self._asked = False
        self._turn = threading.Condition()
        """Guards the three above; told when any of them changes."""
        self._done = threading.Event()
        self._journal: Journal | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> int:
        """Add what dead processes left behind, then take rows; how many were added. Blocks, so for a thread.

        LedgerUnavailable where the folder or the database do not let it: a server without its ledger does not start.
        """
        try:
            added = recover(self.store, self.folder)
            self._journal = Journal(self.folder)
        except (OSError, SQLAlchemyError) as error:
            raise LedgerUnavailable(f"The ledger in {self.folder} cannot be used: {reason(error)}") from error
        if added:
            log.warning("Rows of an earlier server that are added to the ledger only now: %d", added)
        for name, work in (("ledger-sync", self._sync), ("ledger-move", self._move)):
            thread = threading.Thread(target=work, args=(self._journal,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        return added

    @property
    def waiting(self) -> int:
        """Rows that are in this process's files and not yet in the database."""
        return 0 if self._journal is None else self._journal.appended - self._moved

    def append(self, row: LedgerRow) -> None:
        """Write `row` down: one call of the operating system. To be done before the answer's last byte goes out.

        LedgerUnavailable (503) where it cannot be written; then the answer must not end as if it were.
        """
        if self._journal is None:
            raise LedgerUnavailable("The ledger is not open yet; try again in a moment.")
        self._journal.append(frame(fitting(row)))

    def flush(self, timeout_s: float) -> bool:
        """Whether all rows appended so far are in the database within that time. Blocks, so for a thread."""
        if self._journal is None:
            return True
        target = self._journal.appended
        with self._turn:
            self._asked = True
            self._turn.notify_all()
            return self._turn.wait_for(lambda: self._moved >= target, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Take no more rows and add those that wait; what cannot be added in time is left to the next start.

        Blocks, so for a thread.
        """
        if self._journal is None:
            return
        self._journal.stop()
        if not self.flush(timeout_s):
            log.warning("Rows that wait in %s for the next start: %d", self.folder, self.waiting)
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        self._done.set()
        for thread in self._threads:
            thread.join(timeout_s)
        # A thread that hangs in a call of the database still reads its file; both end with the process.
        if not any(thread.is_alive() for thread in self._threads):
            self._journal.release()
            self._journal = None

    def _sync(self, journal: Journal) -> None:
        failing = False
        while not self._done.wait(SYNC_S):
            try:
                journal.sync()
                journal.seal(full=True)
                failing = False
            except OSError as error:
                if not failing:
                    log.error("%s: the ledger's file cannot be made durable: %s", journal.folder, error)
                failing = True

    def _move(self, journal: Journal) -> None:
        wait = self._move_s
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._asked or self._stopping, wait)
                if self._stopping:
                    return
                self._asked = False
            try:
                self._move_all(journal)
            except Exception as error:  # noqa: BLE001 - the thread must go on; what it was is in the log
                self._note(error)
                wait = min(max(wait, self._move_s) * 2, LONGEST_WAIT_S)
            else:
                self._note(None)
                wait = self._move_s

    def _move_all(self, journal: Journal) -> None:
        """Empty every file, the present one too. One that cannot be emptied stays first in line."""
        journal.seal()
        while journal.sealed:
            file = journal.sealed[0]
            empty(self.store, file)
            journal.sealed.popleft()
            with self._turn:
                self._moved += file.rows
                self._turn.notify_all()

    def _note(self, error: Exception | None) -> None:
        """Say once that rows cannot be added, and once that they can again."""
        if error is None:
            if self._failing:
                log.warning("The ledger's rows are added again")
        elif not self._failing:
            log.error(
                "Rows cannot be added to the ledger (%s); they wait in %s and are tried again",
                reason(error),
                self.folder,
                exc_info=None if isinstance(error, (SQLAlchemyError, OSError)) else error,
            )
        self._failing = error is not None
