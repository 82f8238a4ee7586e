"""What the next step computes.

Every running sequence that decodes takes one token of the step's budget; what is left goes to chunks of prompts, first
of sequences already running, then of requests that are admitted now. A request gets slots for its whole prompt when it
is admitted, so that they are contiguous, and grows from there.
"""

from __future__ import annotations

from typing import NamedTuple

from radixa.core.tokens import common_prefix
from radixa.engine.sequence import Sequence
from radixa.engine.tiering import Tiering
from radixa.engine.waiting import WaitingQueue
from radixa.kv.base import Lease, PrefixCache

GROWTH = 64
"""Slots reserved ahead of a decoding sequence, so that what it writes stays one run."""

LOADING_SHARE = 2
"""Several loads that are under way may take this part of the pool together."""

WORTH_WAITING = 8
"""A request waits for another that is computing its prefix if that spares at least this many tokens."""


class Work(NamedTuple):
    """The next `tokens` tokens of `sequence`, to be computed in this step."""

    sequence: Sequence
    tokens: int


class Scheduler:
    """Running sequences, waiting requests, and the slots between them."""

    def __init__(
        self, cache: PrefixCache, tiering: Tiering, *, step_tokens: int, max_running: int, max_overtakes: int
    ) -> None:
        self.cache = cache
        self.tiering = tiering
        self.running: list[Sequence] = []
        """By arrival."""
        self.waiting = WaitingQueue(cache, max_overtakes)
        self.retractions = 0
        self._step_tokens = step_tokens
        self._max_running = max_running
        self._order = 0
        self._short = False
        """Whether a request waits for room; nothing is loaded for others then."""

    @property
    def busy(self) -> bool:
        return bool(self.running or len(self.waiting))

    def next_order(self) -> int:
        self._order += 1
        return self._order

    def add(self, sequence: Sequence) -> None:
        """Queue it, or hold it until what a lower tier has of its prompt is loaded."""
        if self._short or not self.tiering.hold(sequence, self._room()):
            self.waiting.add(sequence)

    def end(self, sequence: Sequence) -> None:
        """Forget a sequence that is over or whose client left, wherever it is. What it computed stays in the tree, if
        it may be kept."""
        if sequence.lease is not None:
            self.finish(sequence)
        elif not self.tiering.forget(sequence):
            self.waiting.remove(sequence)
            self._short = self._short and len(self.waiting) > 0

    def finish(self, sequence: Sequence) -> None:
        """Give the slots of a running sequence back and keep its KV in the tree, if it may be kept."""
        self.running.remove(sequence)
        self._give_back(sequence)

    def discard(self, sequence: Sequence) -> None:
        """Forget a sequence and keep nothing that is not in the tree yet."""
        if sequence.lease is None:
            self.end(sequence)
            return
        self.running.remove(sequence)
        self.cache.release(sequence.lease)
        sequence.lease = None

    def plan(self) -> list[Work]:
        """The next step. Empty when nothing runs and nothing that waits has room: not before a load or a write is over,
        or something else arrives."""
        self.take_freed()
        retracted = self.retractions
        for sequence in list(self.running):
            # A prompt has its slots since it was admitted.
            if sequence.decoding and not sequence.drawn:
                self._grow(sequence)
        work = [Work(s, 1) for s in self.running if not s.prefilling and not s.drawn]
        budget = max(self._step_tokens - len(work), self._step_tokens // 4, 1)
        # Answers that have begun go before prompts.
        for sequence in sorted(self.running, key=lambda s: not s.decoding):
            if budget and sequence.prefilling:
                tokens = min(sequence.pending, budget)
                work.append(Work(sequence, tokens))
                budget -= tokens
        if retracted == self.retractions:
            self._admit(work, budget)
        return work

    def take_freed(self) -> None:
        """Queue the requests that are held no more, where they stand by their arrival."""
        for sequence in self.tiering.freed():
            self.waiting.add(sequence)

    def computed(self, work: list[Work]) -> None:
        """The step is done: its tokens have KV. Those of prompts go into the tree at once, for others to find."""
        for sequence, tokens in work:
            in_prompt = sequence.computed < sequence.prompt_tokens
            sequence.computed += tokens
            if in_prompt:
                self._commit(sequence)

    def _admit(self, work: list[Work], budget: int) -> None:
        while budget > 0 and len(self.waiting) and len(self.running) < self._max_running:
            admitted = self._admit_one()
            if admitted is None:
                return
            tokens = min(admitted.pending, budget)
            work.append(Work(admitted, tokens))
            budget -= tokens

    def _admit_one(self) -> Sequence | None:
        for sequence in self.waiting.in_order():
            if not self.waiting.aged(sequence) and self._better_to_wait(sequence):
                continue
            lease = self._lease(sequence)
            while lease is None and self.tiering.make_room():
                lease = self._lease(sequence)
            self._short = lease is None
            if lease is None:
                return None
            self.waiting.admit(sequence)
            self.tiering.admitted(sequence)
            sequence.lease = lease
            sequence.computed = lease.cached
            if sequence.cached is None:
                sequence.cached = lease.cached
            self.running.append(sequence)
            self.running.sort(key=lambda s: s.order)
            return sequence
        return None

    def _lease(self, sequence: Sequence) -> Lease | None:
        """Slots for the whole sequence so far, or None where there is no room for it and the growth of the others."""
        # A match counts as a use, so what has no hope of room does not come to it.
        if self._spare() < sequence.length - self.waiting.matched(sequence):
            return None
        namespace = sequence.request.namespace
        if sequence.cached is None:
            first = sequence.explanation is None
            read = sequence.request.cache.read
            sequence.explanation = self.cache.explain(sequence.key(), namespace, read=read, remember=first)
        if sequence.request.cache.read:
            lease = self.cache.match(sequence.key(), namespace, sequence.length - 1)
        else:
            lease = self.cache.bare(namespace)
        # What is locked by now cannot be evicted for the rest.
        if self._spare() >= sequence.length - lease.cached and self.cache.extend(lease, sequence.length, GROWTH):
            return lease
        self.cache.release(lease)
        return None

    def _room(self) -> int:
        """Slots that a load may take: a share of the pool, so that requests which load nothing have theirs as well, and
        none that what runs is about to need."""
        spare = self._spare()
        return min(spare, self.cache.stats().capacity // LOADING_SHARE) if self.tiering.loading else spare

    def _spare(self) -> int:
        """Slots that are free or can be, less what those that run are about to grow by; may be below zero."""
        stats = self.cache.stats()
        return stats.free + stats.evictable - min(GROWTH, stats.capacity // 16) * len(self.running)

    def _better_to_wait(self, sequence: Sequence) -> bool:
        """Whether a running sequence is just computing a prefix of this one, so that it will be found rather than
        computed."""
        if not (self.cache.shares and sequence.request.cache.read):
            return False
        key = sequence.key()
        matched = self.waiting.matched(sequence)
        for other in self.running:
            if other.prefilling and other.request.cache.write and other.request.namespace == sequence.request.namespace:
                shared = common_prefix(key, other.key(other.prompt_tokens))
                # What it has computed is in the tree already; waiting is for what it is about to compute.
                if other.computed < shared and shared - matched >= WORTH_WAITING:
                    return True
        return False

    def _grow(self, sequence: Sequence) -> None:
        """Slots for the next tokens; takes them from the youngest where none is left, which may be this one itself."""
        while sequence.lease is not None and not self.cache.extend(sequence.lease, sequence.length, GROWTH):
            if not self.tiering.make_room():
                self._retract(self.running[-1])

    def _retract(self, sequence: Sequence) -> None:
        """Back to the queue. Its KV goes into the tree, where it stays as long as there is room for it."""
        self.retractions += 1
        self.finish(sequence)
        sequence.computed = 0
        self.waiting.add(sequence)

    def _commit(self, sequence: Sequence) -> None:
        assert sequence.lease is not None
        if sequence.request.cache.write:
            kept = self.cache.commit(sequence.lease, sequence.key(sequence.computed), sequence.spans)
            sequence.kept(kept)

    def _give_back(self, sequence: Sequence) -> None:
        lease = sequence.lease
        assert lease is not None
        sequence.lease = None
        if not sequence.request.cache.write:
            self.cache.release(lease)
            return
        prompt = min(sequence.computed, sequence.prompt_tokens)
        uncommitted = max(0, prompt - lease.held)
        key = sequence.key(sequence.computed)
        kept = self.cache.settle(lease, key, sequence.spans, sequence.keep)
        sequence.kept(min(kept, uncommitted))
        self.tiering.keep(lease, key, sequence)
