"""Where the loop leaves jobs for the background thread, and finds their results."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from radixa.kv.tiers.base import BlockJob, Deleted, Loaded, Result, Target, Written


class Desk:
    """Queues behind one lock, `changed`, which is told of whatever is put in, taken out or finished.

    Unless it says otherwise, a method takes the lock itself.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.changed = threading.Condition()
        self.loads: deque[BlockJob] = deque()
        self.writes: deque[BlockJob] = deque()
        self.deletions: deque[Target] = deque()
        self.writing: BlockJob | None = None
        """The write that was begun; it stays so while other work goes before its next block."""
        self.working = True
        """Whether the thread is at something else, or has not opened the folder yet."""
        self.hurry = 0
        """Callers that wait for everything to be written."""
        self.closing = False
        self.over = False
        """The thread has ended: nothing put in will be done."""
        self._stops: dict[BlockJob, int] = {}
        """Index of the block to stop before, of jobs cut short."""
        self._results: deque[Result] = deque()
        self._wake = wake

    def stop(self, job: BlockJob, before: int) -> None:
        """Do not go on to the job's block of this index. The lock is held."""
        if job is self.writing or job in self.writes or job in self.loads:
            self._stops[job] = min(before, self._stops.get(job, before))

    def may(self, job: BlockJob, at: int) -> bool:
        """Whether the job may go on to the block of this index; with or without the lock."""
        before = self._stops.get(job)
        return not self.closing and (before is None or at < before)

    def waiting_writes(self) -> list[BlockJob]:
        """Writes that are not over, in their order. The lock is held."""
        return [*([self.writing] if self.writing else []), *self.writes]

    def report(self, result: Result) -> None:
        """Hand a result to the loop, and wake it."""
        with self.changed:
            if not isinstance(result, Deleted):
                self._stops.pop(result.job, None)
            self._results.append(result)
            self.changed.notify_all()
        self._wake()

    def collect(self) -> list[Result]:
        """The results since the last call."""
        found: list[Result] = []
        while self._results:
            found.append(self._results.popleft())
        return found

    def fail_writes(self) -> None:
        """Report every write that waits as over."""
        while True:
            with self.changed:
                if not self.writes:
                    return
                job = self.writes.popleft()
            self.report(Written(job, 0, 0, 0.0))

    def fail_all(self) -> None:
        """The thread ends: report everything that waits as over, and whatever comes after it at once."""
        with self.changed:
            self.over = True
            loads, self.loads = self.loads, deque()
            deletions, self.deletions = self.deletions, deque()
        self.fail_writes()
        for job in loads:
            self.report(Loaded(job, 0, 0, 0.0))
        for target in deletions:
            self.report(Deleted(target, 0))

    def rest(self, timeout: float) -> bool:
        """Wait until there is nothing left to do, and let writes go at full speed meanwhile."""
        end = time.monotonic() + timeout
        with self.changed:
            self.hurry += 1
            self.changed.notify_all()
            try:
                while self.working or self.writing or self.writes or self.loads or self.deletions:
                    if self.over or not self.changed.wait(max(0.0, end - time.monotonic())):
                        return False
            finally:
                self.hurry -= 1
        return True
