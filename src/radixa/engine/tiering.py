"""Between the cache and the tier beneath it: what is brought up before a request runs, and written down after it.

A request whose prompt goes on in the tier beyond what the tree holds is *held* while those blocks are loaded, if that
is faster than computing them; others run meanwhile. It then queues in its order of arrival, from when on the bound of
`waiting.py` holds for it, and finds them in the tree.
What a request leaves in the tree is written behind: its path stays locked until the blocks are on disk, unless a
request needs the room, which always comes first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from radixa.core.tokens import TOKEN_BYTES, count
from radixa.engine.sequence import Sequence
from radixa.kv import runs
from radixa.kv.base import Lease, PrefixCache, SlotRun
from radixa.kv.runs import Runs
from radixa.kv.tiers.base import BLOCK_BYTES, BLOCK_TOKENS, BlockJob, Deleted, Loaded, Target, Tier, Written
from radixa.radix import Keep

FIRST_GUESS = 2_000.0
"""Prompt tokens a second before any were measured."""

MEASURED_TOKENS = 64
"""A step of fewer prompt tokens says little about the speed of many."""

_WEIGHT = 0.2
"""Of the newest measurement in the running mean."""


@dataclass(eq=False, slots=True)
class _Load:
    job: BlockJob
    lease: Lease
    key: bytes
    """The tokens up to the end of the job's last block."""
    here: int
    """Leading tokens that were in the tree when it began."""
    held: list[Sequence] = field(default_factory=list)
    """Requests that wait for it."""


class Tiering:
    """Owns the jobs that are under way, and the leases that lock their slots."""

    def __init__(self, cache: PrefixCache, tier: Tier, block_bytes: int) -> None:
        """`block_bytes`: K and V of one block."""
        self.tier = tier
        self.prefill_speed = FIRST_GUESS
        """Prompt tokens a second, a running mean."""
        self._cache = cache
        self._block_bytes = block_bytes
        self._loads: dict[BlockJob, _Load] = {}
        self._loading: dict[bytes, _Load] = {}
        """By the name of each block that is being loaded."""
        self._writes: dict[BlockJob, Lease] = {}
        self._freed: list[Sequence] = []
        """Requests that are held no more, and that nobody has asked for yet."""
        self._deleting: set[Target] = set()

    @property
    def held(self) -> int:
        """Requests that wait for blocks."""
        return sum(len(load.held) for load in self._loads.values())

    def hold(self, sequence: Sequence) -> bool:
        """Whether the request is to wait for blocks; if so, `collect` gives it back."""
        if not (sequence.request.cache.read and self._cache.shares):
            return False
        key, namespace = sequence.request.token_ids[:-TOKEN_BYTES], sequence.request.namespace
        here = self._cache.peek(key, namespace)
        names = sequence.blocks = self.tier.names(namespace, key)
        start = here // BLOCK_TOKENS
        if start >= len(names):
            return False
        under_way = self._loading.get(names[start])
        if under_way is not None:
            under_way.held.append(sequence)
            return True
        end = start + self.tier.lookup(names, start)
        tokens = end * BLOCK_TOKENS - here
        if tokens <= 0 or not self.tier.worth_loading((end - start) * self._block_bytes, tokens, self.prefill_speed):
            return False
        return self._load(sequence, key[: end * BLOCK_BYTES], names[:end], start, here)

    def below(self, key: bytes, namespace: str) -> int:
        """Leading tokens of `key` that tree and tier hold together; 0 where the tier adds none."""
        names = self.tier.names(namespace, key)
        start = self._cache.peek(key, namespace) // BLOCK_TOKENS
        found = self.tier.lookup(names, start)
        return (start + found) * BLOCK_TOKENS if found else 0

    def forget(self, sequence: Sequence) -> bool:
        """The client left. Whether the request was held; the load goes on where others wait for it."""
        for load in self._loads.values():
            if sequence in load.held:
                load.held.remove(sequence)
                if not load.held:
                    self.tier.cancel(load.job)
                return True
        return False

    def keep(self, lease: Lease, key: bytes, sequence: Sequence) -> None:
        """Write the path of `lease`, which is settled, and release it when that is done."""
        cache = sequence.request.cache
        namespace = sequence.request.namespace
        names = tuple(self.tier.names(namespace, key[: lease.held * TOKEN_BYTES], sequence.blocks))
        if names:
            start = self.tier.lookup(names)
            end = len(names) * BLOCK_TOKENS
            slots = tuple(SlotRun(segment.start, segment.length) for segment in lease.segments(end))
            job = BlockJob(
                namespace,
                names,
                start,
                key[start * BLOCK_BYTES : len(names) * BLOCK_BYTES],
                runs.split(slots, start * BLOCK_TOKENS)[1],
                cache.session or None,
                self._until(sequence.keep),
            )
            if self.tier.write(job):
                self._writes[job] = lease
                return
        self._cache.release(lease)

    def give_up_writes(self) -> frozenset[BlockJob]:
        """Stop what is being written, because a request or a flush needs the slots; those that are not over yet."""
        for job in self._writes:
            self.tier.cancel(job)
        self._collect()
        return frozenset(self._writes)

    def under_way(self, writes: frozenset[BlockJob]) -> bool:
        """Whether one of these writes is not over yet."""
        return not writes.isdisjoint(self._writes)

    def make_room(self) -> bool:
        """Unlock what writes lock; whether anything was unlocked."""
        before = len(self._writes)
        return before > 0 and len(self.give_up_writes()) < before

    def freed(self) -> list[Sequence]:
        """Take in what the tier has done; requests that are held no more."""
        self._collect()
        freed, self._freed = self._freed, []
        return freed

    def _collect(self) -> None:
        for result in self.tier.finished():
            match result:
                case Written(job):
                    self._cache.release(self._writes.pop(job))
                case Loaded(job, blocks):
                    self._loaded(self._loads.pop(job), blocks)
                case Deleted(target):
                    self._deleting.discard(target)

    def delete(self, namespace: str | None, session: str | None, prefix: bytes | None) -> Target:
        """Forget what a flush is about; `deleted` says when its files are gone."""
        if prefix is None:
            target = Target(namespace, session)
        else:
            names = self.tier.names(namespace or "", prefix)
            target = Target(prefix=names[-1] if names else self.tier.seed(namespace or ""))
        self._deleting.add(target)
        self.tier.delete(target)
        return target

    def deleted(self, target: Target) -> bool:
        return target not in self._deleting

    def measured(self, tokens: int, seconds: float) -> None:
        """A step computed so many prompt tokens in this time."""
        if tokens >= MEASURED_TOKENS and seconds > 0:
            self.prefill_speed += _WEIGHT * (tokens / seconds - self.prefill_speed)

    def close(self, timeout: float) -> None:
        """Write what waits to be written, as far as `timeout` seconds go."""
        self.tier.flush(timeout)
        self._collect()
        self.tier.close()

    def _load(self, sequence: Sequence, key: bytes, names: list[bytes], start: int, here: int) -> bool:
        namespace = sequence.request.namespace
        lease = self._cache.match(key, namespace, start * BLOCK_TOKENS)
        if lease.held != start * BLOCK_TOKENS or not self._cache.extend(lease, count(key)):
            self._cache.release(lease)
            return False
        segments = lease.segments(count(key))
        own: Runs = tuple(SlotRun(s.start, s.length) for s in segments)
        slots = runs.split(own, start * BLOCK_TOKENS)[1]
        job = BlockJob(namespace, tuple(names), start, key[start * BLOCK_BYTES :], slots)
        load = _Load(job, lease, key, here, [sequence])
        self._loads[job] = load
        self._loading.update(dict.fromkeys(names[start:], load))
        self.tier.load(job)
        return True

    def _loaded(self, load: _Load, blocks: int) -> None:
        job = load.job
        for name in job.names[job.start :]:
            self._loading.pop(name, None)
        end = (job.start + blocks) * BLOCK_TOKENS
        # The tree gets what was loaded under the spans of whoever asked for it first.
        spans = load.held[0].spans if load.held else ()
        self._cache.finish(load.lease, load.key[: end * TOKEN_BYTES], spans)
        for sequence in load.held:
            sequence.disk = max(0, end - load.here)
        self._freed += load.held

    @staticmethod
    def _until(keep: Keep | None) -> float | None:
        """Until when, in seconds since the epoch, what is kept with a TTL goes last on disk; for ever is a year."""
        return None if keep is None else time.time() + min(keep.lasts, 365 * 86_400.0)
