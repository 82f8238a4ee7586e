"""The disk tier as the engine's loop holds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from radixa.kv.runs import count
from radixa.kv.storage import KVStorage
from radixa.kv.tiers import chain
from radixa.kv.tiers.archive import Archive
from radixa.kv.tiers.base import (
    BLOCK_TOKENS,
    BlockJob,
    Deleted,
    Fingerprint,
    Kind,
    Loaded,
    Result,
    Target,
    TierStats,
    Written,
)
from radixa.kv.tiers.desk import Desk
from radixa.kv.tiers.slots import Slots
from radixa.kv.tiers.transfer import Transfer
from radixa.kv.tiers.worker import Worker

_OPEN_SECONDS = 1.0
_CLOSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DiskOptions:
    """How much the tier may take."""

    budget: int = 2 << 30
    """Bytes of files, of all models and processes that share the folder."""
    write_bandwidth: float = 128 << 20
    """Bytes a second; what a processor copies, hashes and writes several times as fast."""
    queue: int = 512 << 20
    """Bytes of K and V that may wait to be written: their slots are locked that long."""
    retry: float = 30.0
    """Seconds until a disk that was full or out of reach is tried again."""


class DiskTier:
    """KV blocks in files (`base.Tier`).

    What a lookup finds is what was on disk when the tier was opened, plus what it has written, plus, within seconds,
    what other processes have.
    """

    kind: Kind = "disk"

    def __init__(
        self,
        folder: Path,
        secret: bytes,
        fingerprint: Fingerprint,
        storage: KVStorage,
        wake: Callable[[], None],
        options: DiskOptions = DiskOptions(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open `folder`, within a second: what a slower disk holds shows later.

        `wake` is called, in the background thread for the most part, when a result is there. `clock` gives seconds
        since the epoch. ValueError where the storage is not the fingerprint's or not in the host's memory.
        """
        slots = Slots(storage, fingerprint)
        self._secret = secret
        self._fingerprint = fingerprint
        self._options = options
        self._desk = Desk(wake)
        self._archive = Archive(folder, secret, fingerprint, options.budget, self._desk.changed, clock)
        transfer = Transfer(self._archive, secret, fingerprint, slots)
        self._block_bytes = transfer.block_bytes
        self._refused = 0
        self._worker = Worker(
            self._desk,
            self._archive,
            transfer,
            self._fits,
            write_bandwidth=options.write_bandwidth,
            retry=options.retry,
            clock=clock,
        )
        self._worker.thread.start()
        self._worker.opened.wait(_OPEN_SECONDS)

    def seed(self, namespace: str) -> bytes:
        return chain.seed(self._secret, self._fingerprint, namespace)

    def names(self, namespace: str, key: bytes, known: Sequence[bytes] = ()) -> list[bytes]:
        return chain.names(self._secret, self.seed(namespace), key, known)

    def lookup(self, names: Sequence[bytes], start: int = 0) -> int:
        return self._archive.view.count(names, start)

    def alone(self, names: Sequence[bytes]) -> int:
        with self._desk.changed:
            return self._archive.view.alone(names)

    def write(self, job: BlockJob) -> bool:
        desk = self._desk
        size = self._size(job)
        with desk.changed:
            taken = (
                self._worker.disabled is None
                and not desk.closing
                and not desk.over
                and size <= self._options.budget
                and (size + self._queued() <= self._options.queue or not desk.waiting_writes())
            )
            if taken:
                desk.writes.append(job)
                desk.changed.notify_all()
            else:
                self._refused += 1
        return taken

    def load(self, job: BlockJob) -> None:
        with self._desk.changed:
            taken = not self._desk.over
            if taken:
                self._desk.loads.append(job)
                self._desk.changed.notify_all()
        if not taken:
            self._desk.report(Loaded(job, 0, 0, 0.0))

    def cancel(self, job: BlockJob) -> None:
        desk = self._desk
        with desk.changed:
            waited = job in desk.writes
            if waited:
                desk.writes.remove(job)
            else:
                desk.stop(job, 0)
                desk.changed.notify_all()
        if waited:
            desk.report(Written(job, 0, 0, 0.0))

    def worth_loading(self, size: int, tokens: int, prefill_speed: float) -> bool:
        return size / self._worker.bandwidth.value < tokens / prefill_speed

    def delete(self, target: Target) -> int:
        space, account, session, prefix = self._fits(target)
        desk = self._desk
        with desk.changed:
            view = self._archive.view
            gone = view.fitting(space, account, session, prefix)
            for name in gone:
                view.remove(name)
            self._hold_writes(target, gone)
            taken = not desk.over
            if taken:
                desk.deletions.append(target)
                desk.changed.notify_all()
        if not taken:
            desk.report(Deleted(target, 0))
        return len(gone)

    def usage(self, namespace: str) -> tuple[int, int]:
        tag = chain.space_tag if "/" in namespace else chain.account_tag
        with self._desk.changed:
            return self._archive.view.usage(tag(self._secret, namespace))

    def finished(self) -> list[Result]:
        return self._desk.collect()

    def stats(self) -> TierStats:
        counters = self._archive.counters
        with self._desk.changed:
            queued = self._queued()
        return TierStats(
            enabled=True,
            disabled=self._worker.disabled,
            budget=self._options.budget,
            bytes=counters.bytes,
            blocks=len(self._archive.view.entries),
            queued=queued,
            written_blocks=counters.written_blocks,
            written_bytes=counters.written_bytes,
            write_seconds=counters.write_seconds,
            loaded_blocks=counters.loaded_blocks,
            loaded_bytes=counters.loaded_bytes,
            load_seconds=counters.load_seconds,
            read_bandwidth=self._worker.bandwidth.value,
            evicted_blocks=counters.evicted_blocks,
            deleted_blocks=counters.deleted_blocks,
            adopted_blocks=counters.adopted_blocks,
            dropped=dict(counters.dropped),
            refused_jobs=self._refused,
            orphaned_blocks=counters.orphaned_blocks,
            write_errors=counters.write_errors,
            index_rebuilds=counters.index_rebuilds,
        )

    def flush(self, timeout: float) -> bool:
        return self._desk.rest(timeout)

    def close(self) -> None:
        with self._desk.changed:
            self._desk.closing = True
            self._desk.changed.notify_all()
        self._worker.thread.join(_CLOSE_SECONDS)

    def _fits(self, target: Target) -> tuple[bytes | None, bytes | None, bytes | None, bytes | None]:
        """Namespace, account, session and prefix that a block must have; None for those that may be any."""
        space = account = session = None
        if target.namespace is not None:
            if "/" in target.namespace:
                space = chain.space_tag(self._secret, target.namespace)
            else:
                account = chain.account_tag(self._secret, target.namespace)
        if target.session is not None:
            session = chain.session_tag(self._secret, target.session)
        return space, account, session, target.prefix

    def _hold_writes(self, target: Target, gone: set[bytes]) -> None:
        """Keep what a deletion is about from being written by jobs that wait. The lock is held."""
        gone = set(gone)
        if target.prefix is not None:
            gone.add(target.prefix)
        whole = target.prefix is None
        for job in self._desk.waiting_writes():
            parent = job.names[job.start - 1] if job.start else self.seed(job.namespace)
            inside = (
                target.namespace is None
                or job.namespace == target.namespace
                or ("/" not in target.namespace and job.namespace.startswith(f"{target.namespace}/"))
            ) and (target.session is None or job.session == target.session)
            if (whole and inside) or parent in gone:
                first = job.start
            else:
                first = next((at for at in range(job.start, len(job.names)) if job.names[at] in gone), len(job.names))
            gone.update(job.names[first:])
            self._desk.stop(job, first)

    def _queued(self) -> int:
        return sum(self._size(job) for job in self._desk.waiting_writes())

    def _size(self, job: BlockJob) -> int:
        """Bytes that the job's blocks take on disk."""
        return count(job.runs) // BLOCK_TOKENS * self._block_bytes
