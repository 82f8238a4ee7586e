"""Between the cache and the tier beneath it: what is brought up before a request runs, and written down after it.

A request whose prompt goes on in the tier beyond what the tree holds is *held* while those blocks are loaded, if that
is faster than computing them; others run meanwhile. It then queues in its order of arrival, from when on the bound of
`waiting.py` holds for it, and finds them in the tree.
What a request leaves in the tree is written behind (`write_behind.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from radixa.core.tokens import TOKEN_BYTES, count
from radixa.engine.clearing import Clearing, Deletion, target
from radixa.engine.sequence import Sequence
from radixa.engine.write_behind import WriteBehind
from radixa.kv import runs
from radixa.kv.base import Lease, PrefixCache, SlotRun
from radixa.kv.tiers.base import BLOCK_BYTES, BLOCK_TOKENS, BlockJob, Deleted, Loaded, Tier, Written
from radixa.radix import beneath

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
    held: list[Sequence] = field(default_factory=list)
    """Requests that wait for it."""
    void: bool = False
    """What it brings up has been dropped meanwhile: nothing of it is kept."""


class _Found(NamedTuple):
    """What the tier has of a prompt beyond what the tree has."""

    names: list[bytes]
    """The prompt's blocks up to the last that is there."""
    start: int
    """The first block that the tree does not hold all of."""
    here: int
    """Leading tokens in the tree."""

    @property
    def until(self) -> int:
        """Leading tokens that tree and tier hold together."""
        return len(self.names) * BLOCK_TOKENS


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
        self._lent: dict[Sequence, Lease] = {}
        """Keeps what was loaded for a request until it is admitted, unless others need the room."""
        self._writes = WriteBehind(cache, tier)
        self._freed: list[Sequence] = []
        """Requests that are held no more, and that nobody has asked for yet."""
        self._deleting: list[Deletion] = []
        """Those whose files are not gone yet, in order."""

    @property
    def held(self) -> int:
        """Requests that wait for blocks."""
        return sum(len(load.held) for load in self._loads.values()) + len(self._freed)

    @property
    def loading(self) -> bool:
        return bool(self._loads)

    def hold(self, sequence: Sequence, room: int) -> bool:
        """Whether the request is to wait for blocks; if so, `freed` gives it back.

        `room`: slots that a load may take without standing in the way of what runs or waits.
        """
        if not (sequence.request.cache.read and self._cache.shares):
            return False
        key, namespace = sequence.request.token_ids[:-TOKEN_BYTES], sequence.request.namespace
        names = sequence.blocks = self.tier.names(namespace, key)
        here = sequence.here = self._cache.peek(key, namespace)
        under_way = self._loading.get(names[here // BLOCK_TOKENS]) if here // BLOCK_TOKENS < len(names) else None
        if under_way is not None and not under_way.void:
            under_way.held.append(sequence)
            return True
        found = self._found(names, here)
        if found is None or found.until - found.start * BLOCK_TOKENS > room - self._loading_tokens():
            return False
        return self._load(sequence, key[: found.until * TOKEN_BYTES], found)

    def below(self, key: bytes, namespace: str) -> int:
        """Leading tokens of the prompt `key` that a request would find after a load; 0 where none would be made."""
        key = key[:-TOKEN_BYTES]
        found = self._found(self.tier.names(namespace, key), self._cache.peek(key, namespace))
        return 0 if found is None else found.until

    def admitted(self, sequence: Sequence) -> None:
        """The request has its own hold on what was loaded, or will not come for it."""
        lease = self._lent.pop(sequence, None)
        if lease is not None:
            self._cache.release(lease)

    def forget(self, sequence: Sequence) -> bool:
        """The client left. Whether the request was held; the load goes on where others wait for it."""
        self.admitted(sequence)
        if sequence in self._freed:
            self._freed.remove(sequence)
            return True
        for load in self._loads.values():
            if sequence in load.held:
                load.held.remove(sequence)
                if not load.held:
                    self._stop(load)
                return True
        return False

    def keep(self, lease: Lease, key: bytes, sequence: Sequence) -> None:
        """Write the path of `lease`, which is settled, and release it when that is done."""
        self._writes.keep(lease, key, sequence)

    def make_room(self) -> bool:
        """Unlock slots for a request: whether anything was unlocked.

        The newest write is given up first; then what was loaded for requests that are not admitted yet.
        """
        before = len(self._writes.jobs)
        for job in self._writes.newest():
            self._writes.cancel(job)
            self._collect()
            if len(self._writes.jobs) < before:
                return True
        if self._lent:
            self.admitted(next(reversed(self._lent)))
            return True
        return False

    def clear(self, namespace: str | None, session: str | None, prefix: bytes | None) -> Clearing:
        """Begin a flush: nothing that it is about is written or brought up from now on, and its files are removed."""
        space = namespace if prefix is None else namespace or ""
        for load in list(self._loads.values()):
            if beneath(load.job.namespace, space):
                load.void = True
                self._stop(load)
        for sequence in list(self._lent):
            if beneath(sequence.request.namespace, space):
                self.admitted(sequence)
        for job in list(self._writes.jobs):
            if beneath(job.namespace, space):
                self._writes.cancel(job)
        deletion = Deletion(target(self.tier, namespace, session, prefix))
        self._deleting.append(deletion)
        self.tier.delete(deletion.target)
        self._collect()
        jobs = {job for job in (*self._writes.jobs, *self._loads) if beneath(job.namespace, space)}
        return Clearing(self.tier, frozenset(jobs), self.under_way, deletion)

    def under_way(self, jobs: frozenset[BlockJob]) -> bool:
        """Whether one of these jobs is not over yet."""
        return not (jobs.isdisjoint(self._writes.jobs) and jobs.isdisjoint(self._loads))

    def freed(self) -> list[Sequence]:
        """Take in what the tier has done; requests that are held no more."""
        self._collect()
        freed, self._freed = self._freed, []
        return freed

    def measured(self, tokens: int, seconds: float) -> None:
        """A step computed so many prompt tokens in this time."""
        if tokens >= MEASURED_TOKENS and seconds > 0:
            self.prefill_speed += _WEIGHT * (tokens / seconds - self.prefill_speed)

    def close(self, timeout: float) -> None:
        """Write what waits to be written, as far as `timeout` seconds go."""
        self.tier.flush(timeout)
        self._collect()
        self.tier.close()

    def _found(self, names: list[bytes], here: int) -> _Found | None:
        """What the tier has beyond the tree's `here` tokens, if loading it is faster than computing it."""
        start = here // BLOCK_TOKENS
        end = start + self.tier.lookup(names, start)
        tokens = end * BLOCK_TOKENS - here
        # It comes after the loads that are under way.
        size = (end - start) * self._block_bytes + self._loading_tokens() // BLOCK_TOKENS * self._block_bytes
        if tokens <= 0 or not self.tier.worth_loading(size, tokens, self.prefill_speed):
            return None
        return _Found(names[:end], start, here)

    def _loading_tokens(self) -> int:
        return sum((len(job.names) - job.start) * BLOCK_TOKENS for job in self._loads)

    def _load(self, sequence: Sequence, key: bytes, found: _Found) -> bool:
        namespace = sequence.request.namespace
        first = found.start * BLOCK_TOKENS
        lease = self._cache.match(key, namespace, first)
        if lease.held != first or not self._cache.extend(lease, count(key)):
            self._cache.release(lease)
            return False
        path = tuple(SlotRun(segment.start, segment.length) for segment in lease.segments(count(key)))
        job = BlockJob(
            namespace,
            tuple(found.names),
            found.start,
            key[found.start * BLOCK_BYTES :],
            runs.split(path, first)[1],
            sequence.request.cache.session or None,
        )
        load = _Load(job, lease, key, [sequence])
        self._loads[job] = load
        self._loading.update(dict.fromkeys(found.names[found.start :], load))
        self.tier.load(job)
        return True

    def _collect(self) -> None:
        for result in self.tier.finished():
            match result:
                case Written(job):
                    self._writes.ended(job)
                case Loaded(job, blocks):
                    self._loaded(self._loads.pop(job), blocks)
                case Deleted(gone, blocks):
                    deletion = next(found for found in self._deleting if found.target == gone)
                    deletion.blocks = blocks
                    self._deleting.remove(deletion)

    def _loaded(self, load: _Load, blocks: int) -> None:
        self._unname(load)
        if load.void or not load.held:
            self._cache.release(load.lease)
        else:
            end = (load.job.start + blocks) * BLOCK_TOKENS
            key = load.key[: end * TOKEN_BYTES]
            # The tree gets it under the spans of whoever asked for it first.
            self._cache.settle(load.lease, key, load.held[0].spans)
            for sequence in load.held:
                sequence.brought, sequence.brought_from = end, self.tier.kind
            self._lent[load.held[-1]] = load.lease
        self._freed += load.held

    def _stop(self, load: _Load) -> None:
        self._unname(load)
        self.tier.cancel(load.job)

    def _unname(self, load: _Load) -> None:
        """Nobody joins this load any more."""
        for name in load.job.names[load.job.start :]:
            if self._loading.get(name) is load:
                del self._loading[name]
