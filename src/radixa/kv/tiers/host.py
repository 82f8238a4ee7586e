"""The tier in the host's memory, beneath a KV pool on a GPU: what the pool evicts comes back by a copy."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from radixa.kv.runs import split
from radixa.kv.storage import KVStorage
from radixa.kv.tiers import chain
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
from radixa.kv.tiers.counters import Counters
from radixa.kv.tiers.index import Entry
from radixa.kv.tiers.pinned import Pinned
from radixa.kv.tiers.view import View

if TYPE_CHECKING:
    import torch

ASSUMED_BANDWIDTH = 20e9
"""Bytes a second between the host and a GPU, of which a lookup reckons whether a load pays."""


class HostTier:
    """`base.Tier` in pinned memory. Names are good for this process only, so nothing of it outlives the engine.

    Copies are queued at once and run beside the computation; a thread waits for their ends and says so. What goes first
    is the least recently used leaf; TTLs, priorities and pins hold in the KV pool alone.
    """

    kind: Kind = "host"

    def __init__(self, storage: KVStorage, fingerprint: Fingerprint, budget: int, wake: Callable[[], None]) -> None:
        """`budget`: bytes that are taken from the host at once. ValueError where it holds no block."""
        self._block_bytes = fingerprint.payload_bytes
        blocks = budget // self._block_bytes
        if blocks < 1:
            raise ValueError(f"{budget} bytes hold no block of {self._block_bytes} bytes")
        self._secret = secrets.token_bytes(32)
        self._fingerprint = fingerprint
        self._budget = budget
        self._pinned = Pinned(storage, fingerprint, blocks)
        self._free = list(range(blocks))
        self._view = View()
        self._places: OrderedDict[bytes, int] = OrderedDict()
        """By name, the least recently used first."""
        self._children: Counter[bytes] = Counter()
        self._busy: Counter[bytes] = Counter()
        """Blocks that a copy under way reads or writes."""
        self._counters = Counters()
        self._refused = 0
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._waiting: queue.SimpleQueue[tuple[torch.cuda.Event | None, Result, Sequence[bytes]] | None]
        self._waiting = queue.SimpleQueue()
        self._over: queue.SimpleQueue[Sequence[bytes]] = queue.SimpleQueue()
        self._left = 0
        self._wake = wake
        self._thread = threading.Thread(target=self._wait, name="radixa-host-tier", daemon=True)
        self._thread.start()

    def seed(self, namespace: str) -> bytes:
        return chain.seed(self._secret, self._fingerprint, namespace)

    def names(self, namespace: str, key: bytes, known: Sequence[bytes] = ()) -> list[bytes]:
        return chain.names(self._secret, self.seed(namespace), key, known)

    def lookup(self, names: Sequence[bytes], start: int = 0) -> int:
        return self._view.count(names, start)

    def alone(self, names: Sequence[bytes]) -> int:
        return self._view.alone(names)

    def write(self, job: BlockJob) -> bool:
        self._settle()
        at = job.start
        while at < len(job.names) and job.names[at] in self._places:
            at += 1
        taken: list[int] = []
        spare = set(job.names)
        # From the first that is missing: what follows a missing block could not be found.
        for name in job.names[at:] if not at or job.names[at - 1] in self._places else ():
            place = self._place(spare)
            if place is None:
                break
            self._add(job, name, at + len(taken), place)
            taken.append(place)
        end = at + len(taken)
        self._touch(job, end)
        if end == job.start and end < len(job.names):
            self._refused += 1
            return False
        done = None
        if taken:
            done = self._pinned.store(split(job.runs, (at - job.start) * BLOCK_TOKENS)[1], taken)
        size = len(taken) * self._block_bytes
        self._counters.written_blocks += len(taken)
        self._counters.written_bytes += size
        self._hand_over(done, Written(job, end - job.start, size, 0.0), job.names[at:end])
        return True

    def load(self, job: BlockJob) -> None:
        self._settle()
        found = self.lookup(job.names, job.start)
        names = job.names[job.start : job.start + found]
        places = [self._places[name] for name in names]
        done = self._pinned.fetch(places, job.runs) if places else None
        self._touch(job, job.start + found)
        size = found * self._block_bytes
        self._counters.loaded_blocks += found
        self._counters.loaded_bytes += size
        self._hand_over(done, Loaded(job, found, size, 0.0), names)

    def cancel(self, job: BlockJob) -> None:
        """Copies that are queued are over within milliseconds: the result comes then."""

    def worth_loading(self, size: int, tokens: int, prefill_speed: float) -> bool:
        return size / ASSUMED_BANDWIDTH < tokens / prefill_speed

    def delete(self, target: Target) -> int:
        self._settle()
        space = account = session = None
        if target.namespace is not None:
            if "/" in target.namespace:
                space = chain.space_tag(self._secret, target.namespace)
            else:
                account = chain.account_tag(self._secret, target.namespace)
        if target.session is not None:
            session = chain.session_tag(self._secret, target.session)
        gone = self._view.fitting(space, account, session, target.prefix)
        for name in gone:
            self._remove(name)
        self._counters.deleted_blocks += len(gone)
        self._results.put(Deleted(target, len(gone)))
        return len(gone)

    def usage(self, namespace: str) -> tuple[int, int]:
        tag = chain.space_tag if "/" in namespace else chain.account_tag
        return self._view.usage(tag(self._secret, namespace))

    def finished(self) -> list[Result]:
        self._settle()
        found: list[Result] = []
        while not self._results.empty():
            found.append(self._results.get())
        return found

    def stats(self) -> TierStats:
        counters = self._counters
        return TierStats(
            enabled=True,
            budget=self._budget,
            bytes=len(self._places) * self._block_bytes,
            blocks=len(self._places),
            written_blocks=counters.written_blocks,
            written_bytes=counters.written_bytes,
            loaded_blocks=counters.loaded_blocks,
            loaded_bytes=counters.loaded_bytes,
            read_bandwidth=ASSUMED_BANDWIDTH,
            evicted_blocks=counters.evicted_blocks,
            deleted_blocks=counters.deleted_blocks,
            refused_jobs=self._refused,
        )

    def flush(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while self._left:
            self._settle()
            if time.monotonic() > end:
                return False
            time.sleep(0.0005)
        return True

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _hand_over(self, done: torch.cuda.Event | None, result: Result, names: Sequence[bytes]) -> None:
        self._busy.update(names)
        self._left += 1
        self._waiting.put((done, result, names))

    def _wait(self) -> None:
        """The thread: results in the order of their copies."""
        while (entry := self._waiting.get()) is not None:
            done, result, names = entry
            if done is not None:
                done.synchronize()
            self._over.put(names)
            self._results.put(result)
            self._wake()

    def _settle(self) -> None:
        """Take note of copies that are over."""
        while not self._over.empty():
            self._busy.subtract(self._over.get())
            self._left -= 1
        self._busy = +self._busy

    def _add(self, job: BlockJob, name: bytes, depth: int, place: int) -> None:
        parent = job.names[depth - 1] if depth else self.seed(job.namespace)
        self._places[name] = place
        self._children[parent] += 1
        self._view.add(
            Entry(
                name=name,
                fingerprint=self._fingerprint.digest,
                parent=parent,
                depth=depth,
                space=chain.space_tag(self._secret, job.namespace),
                account=chain.account_tag(self._secret, job.namespace),
                session=chain.session_tag(self._secret, job.session),
                bytes=self._block_bytes,
                used=0.0,
                created=0.0,
                expires=job.expires or 0.0,
            )
        )

    def _remove(self, name: bytes) -> None:
        """Forget a block. A copy under way that reads its place ends before one that is queued later writes there."""
        self._children[self._view.entries[name].parent] -= 1
        self._view.remove(name)
        self._free.append(self._places.pop(name))

    def _place(self, spare: set[bytes]) -> int | None:
        """A place for one more block: a free one, or that of the least recently used leaf, which is none of `spare`."""
        if not self._free:
            leaf = next((name for name in self._places if self._may_go(name, spare)), None)
            if leaf is None:
                return None
            self._remove(leaf)
            self._counters.evicted_blocks += 1
        return self._free.pop()

    def _may_go(self, name: bytes, spare: set[bytes]) -> bool:
        return not self._children[name] and not self._busy[name] and name not in spare

    def _touch(self, job: BlockJob, end: int) -> None:
        names = [name for name in job.names[:end] if name in self._places]
        # Deepest first, so that a leaf is older than what it hangs on.
        for name in reversed(names):
            self._places.move_to_end(name)
        self._view.touch(names, chain.session_tag(self._secret, job.session))
