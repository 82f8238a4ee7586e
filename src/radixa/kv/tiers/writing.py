"""Writing blocks behind the loop's back: one block a step, at a pace, and never what is no longer wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from radixa.kv.runs import Runs
from radixa.kv.tiers.archive import Archive
from radixa.kv.tiers.base import BlockJob, Written
from radixa.kv.tiers.desk import Desk
from radixa.kv.tiers.pace import Pace
from radixa.kv.tiers.transfer import Transfer, parts


@dataclass(slots=True)
class _Begun:
    """A write that was begun."""

    job: BlockJob
    parts: list[tuple[bytes, Runs]]
    at: int
    """Index of its next block."""
    bytes: int = 0
    seconds: float = 0.0


class Writing:
    """The worker's writes, one job after the other."""

    def __init__(
        self, desk: Desk, archive: Archive, transfer: Transfer, pace: Pace, clock: Callable[[], float]
    ) -> None:
        self._desk = desk
        self._archive = archive
        self._transfer = transfer
        self._pace = pace
        self._clock = clock
        self._begun: _Begun | None = None

    def wait(self, now: float) -> float | None:
        """Seconds until a block may be written, None where none waits. The desk's lock is held."""
        desk = self._desk
        begun = self._begun
        if begun is None and not desk.writes:
            return None
        if desk.hurry or (begun is not None and not desk.may(begun.job, begun.at)):
            return 0.0
        return self._pace.wait(now)

    def step(self) -> None:
        """Write one block, or end the job."""
        desk = self._desk
        if self._begun is None:
            with desk.changed:
                if not desk.writes:
                    return
                desk.writing = job = desk.writes.popleft()
            self._begun = _Begun(job, list(parts(job)), job.start)
        begun = self._begun
        job = begun.job
        started = time.monotonic()
        while begun.at < len(job.names) and self._has(job, begun.at):
            begun.at += 1
        at = begun.at
        if at == len(job.names) or not desk.may(job, at) or not self._has_place(job, at):
            self._transfer.touch(job, at)
            self._report(begun)
            return
        header = self._transfer.write(job, at, *begun.parts[at - job.start], self._clock)
        size = self._archive.put(header, self._transfer.buffer.data, lambda: desk.may(job, at))
        now = time.monotonic()
        self._pace.spend(size, now)
        begun.at += 1
        begun.bytes += size
        begun.seconds += now - started
        counters = self._archive.counters
        counters.written_blocks += 1
        counters.written_bytes += size
        counters.write_seconds += now - started

    def give_up(self) -> None:
        """End the job that was begun where it is."""
        if self._begun is not None:
            self._report(self._begun)

    def _has(self, job: BlockJob, at: int) -> bool:
        return self._archive.has(job.names[at], lambda: self._desk.may(job, at))

    def _has_place(self, job: BlockJob, at: int) -> bool:
        """Whether the block before this one is there, and the budget has room beside it."""
        if at and not self._has(job, at - 1):
            self._archive.counters.orphaned_blocks += len(job.names) - at
            return False
        return self._archive.make_room(self._transfer.block_bytes, job.names[at - 1] if at else b"")

    def _report(self, begun: _Begun) -> None:
        self._begun = None
        with self._desk.changed:
            self._desk.writing = None
        self._desk.report(Written(begun.job, begun.at - begun.job.start, begun.bytes, begun.seconds))
