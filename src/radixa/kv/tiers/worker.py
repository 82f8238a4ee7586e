"""The background thread: whatever touches the disk happens here, one step after the other."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from radixa.kv.tiers.archive import Archive
from radixa.kv.tiers.base import Deleted, Loaded, Target
from radixa.kv.tiers.desk import Desk
from radixa.kv.tiers.header import BadBlock
from radixa.kv.tiers.index import is_trouble
from radixa.kv.tiers.pace import Bandwidth, Pace
from radixa.kv.tiers.transfer import Transfer, parts
from radixa.kv.tiers.trouble import is_full, patience
from radixa.kv.tiers.writing import Writing

log = logging.getLogger("radixa.kv.tiers")

_TICK_SECONDS = 2.0
"""Between two looks at what other processes have written."""
_SCRUB_SECONDS = 600.0
_PROBE_SECONDS = 60.0
"""After this long without a load, a block is read to see how fast the disk is: else one slow hour would keep the tier
from loading, and so from ever measuring again."""
_ASSUMED_BANDWIDTH = 100e6


class Worker:
    """Takes work in the order: deletions, loads, upkeep, then one block of a write at a time."""

    def __init__(
        self,
        desk: Desk,
        archive: Archive,
        transfer: Transfer,
        fits: Callable[[Target], tuple[bytes | None, bytes | None, bytes | None, bytes | None]],
        *,
        write_bandwidth: float,
        retry: float,
        clock: Callable[[], float],
    ) -> None:
        """`fits` gives the tags a deletion goes by; `retry` are the seconds after which a disk that failed is tried
        again."""
        self.bandwidth = Bandwidth(_ASSUMED_BANDWIDTH)
        self.disabled: str | None = None
        self.opened = threading.Event()
        """Set when the folder was opened or could not be."""
        self.thread = threading.Thread(target=self._run, name="radixa-disk-tier", daemon=True)
        self._desk = desk
        self._archive = archive
        self._transfer = transfer
        self._fits = fits
        self._retry = retry
        now = time.monotonic()
        self._writing = Writing(desk, archive, transfer, Pace(write_bandwidth, now), clock)
        self._scrub: Iterator[None] | None = None
        self._again: list[tuple[Target, int]] = []
        """Deletions to repeat when the scrub is over, because a file without a row cannot be found before; and how many
        blocks each has found so far."""
        self._postponed: list[Target] = []
        """Deletions that the disk did not let happen."""
        self._stale = False
        """Whether the view is to be taken from the index at the next tick."""
        self._next_tick = self._next_scrub = now
        self._retry_at: float | None = None

    def _run(self) -> None:
        try:
            self._attempt(self._open)
            self.opened.set()
            while (step := self._next()) is not None:
                self._attempt(step)
        except Exception as error:
            # A mistake of ours costs the tier and not the service: nothing is served or written from here on.
            log.exception("The disk tier has failed and is off until the next start.")
            self.disabled = f"failed: {error!r}"
        finally:
            self.opened.set()
            with self._desk.changed:
                self._archive.view.reset([])
            self._writing.give_up()
            self._desk.fail_all()
            for target, blocks in [*self._again, *[(target, 0) for target in self._postponed]]:
                self._desk.report(Deleted(target, blocks))
            self._archive.close()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next step; None at the end."""
        desk = self._desk
        with desk.changed:
            while True:
                now = time.monotonic()
                desk.working = True
                if desk.deletions:
                    return self._delete
                if desk.closing:
                    return None
                if desk.loads:
                    return self._load
                if self._retry_at is not None and now >= self._retry_at:
                    return self._recover
                if self._scrub is not None:
                    return self._scrub_on
                if now >= self._next_tick:
                    return self._tick
                wait = self._writing.wait(now)
                if wait == 0:
                    return self._writing.step
                pauses = [self._next_tick - now]
                if self._retry_at is not None:
                    pauses.append(self._retry_at - now)
                if wait is not None:
                    pauses.append(wait)
                desk.working = bool(self._postponed or self._again)
                desk.changed.notify_all()
                desk.changed.wait(min(pauses))

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and not is_trouble(error):
                log.warning("The disk tier's index is made anew from the files: %s", error)
                self._scrub = None
                self._writing.give_up()
                try:
                    self._archive.rebuild()
                    self._open()
                except (OSError, sqlite3.Error) as again:
                    self._suspend(again)
            else:
                self._suspend(error)

    def _suspend(self, error: OSError | sqlite3.Error) -> None:
        """Write nothing until it is time to try again."""
        wait = patience(error, self._retry)
        if self.disabled is None:
            log.warning("The disk tier writes nothing for %g seconds: %s", wait, error)
        self.disabled = str(error)
        self._archive.counters.write_errors += 1
        self._retry_at = time.monotonic() + wait
        if self._scrub is not None or self._again:
            self._scrub = None
            self._next_scrub = self._retry_at
        if not is_full(error):
            self._archive.close()
        self._writing.give_up()
        self._desk.fail_writes()

    def _recover(self) -> None:
        self._retry_at = None
        if not self._archive.is_open:
            self._open()
        self.disabled = None
        with self._desk.changed:
            self._desk.deletions.extend(self._postponed)
            self._postponed.clear()

    def _open(self) -> None:
        self._archive.open()
        self._take_view()
        self._begin_scrub()

    def _take_view(self) -> None:
        """Take the view from the index, but not while it holds what the loop was told is gone."""
        self._stale = not self._archive.refresh(lambda: not (self._desk.deletions or self._postponed or self._again))

    def _begin_scrub(self) -> None:
        self._scrub = self._archive.scrub()
        self._next_scrub = time.monotonic() + _SCRUB_SECONDS

    def _scrub_on(self) -> None:
        assert self._scrub is not None
        for _ in self._scrub:
            return
        self._scrub = None
        while self._again:
            target, blocks = self._again[-1]
            blocks += self._archive.delete(*self._fits(target))
            self._again.pop()
            self._desk.report(Deleted(target, blocks))
        self._stale = True
        self._next_tick = time.monotonic()

    def _tick(self) -> None:
        now = time.monotonic()
        self._next_tick = now + _TICK_SECONDS
        if not self._archive.is_open:
            return
        if self._archive.replaced:
            self._open()
            return
        if self._archive.outdated() or self._stale:
            self._take_view()
        if now >= self._next_scrub:
            self._begin_scrub()
        if self.bandwidth.measured is None or now - self.bandwidth.measured >= _PROBE_SECONDS:
            self._probe()

    def _probe(self) -> None:
        name = self._archive.any_name()
        if name is None:
            return
        begun = time.monotonic()
        try:
            self._archive.read(name, self._transfer.buffer.data)
        except BadBlock:
            return
        now = time.monotonic()
        self.bandwidth.add(self._transfer.block_bytes, now - begun, now)

    def _delete(self) -> None:
        with self._desk.changed:
            target = self._desk.deletions.popleft()
            self._postponed.append(target)
        blocks = self._archive.delete(*self._fits(target))
        self._postponed.remove(target)
        if self._scrub is not None:
            self._again.append((target, blocks))
        else:
            self._desk.report(Deleted(target, blocks))

    def _load(self) -> None:
        desk = self._desk
        with desk.changed:
            job = desk.loads[0]
        begun = time.monotonic()
        at = job.start
        try:
            for tokens, runs in parts(job):
                if not desk.may(job, at):
                    break
                self._transfer.load(job, at, tokens, runs)
                at += 1
        except BadBlock as bad:
            log.info("Block %d of a path was %s; it is computed again.", at, bad.reason)
        finally:
            now = time.monotonic()
            size = (at - job.start) * self._transfer.block_bytes
            if size:
                self.bandwidth.add(size, now - begun, now)
            counters = self._archive.counters
            counters.loaded_blocks += at - job.start
            counters.loaded_bytes += size
            counters.load_seconds += now - begun
            with desk.changed:
                desk.loads.popleft()
            desk.report(Loaded(job, at - job.start, size, now - begun))
        self._transfer.touch(job, at)
