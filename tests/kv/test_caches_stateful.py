"""Many leases at once, in any order of calls: slots are conserved and every token is read from the slot it is in.

The pool's content is simulated: a slot holds the namespace and the whole path of the token last computed in it. What a
lease reads through its segments must be its own request's path, token by token. So a slot freed too early, mapped by
two requests, or lent across namespaces reads as another path.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from radixa.core.tokens import pack
from radixa.kv.base import Lease
from radixa.kv.caches import CacheKind, make_cache
from radixa.kv.lease import SlotLease
from radixa.kv.radix_cache import RadixCache

Tokens = tuple[int, ...]
LETTERS = st.lists(st.integers(0, 2), max_size=6).map(tuple)
# A prompt: an earlier request's tokens, so many of them, and what comes then.
PROMPTS = st.tuples(st.integers(0, 20), st.integers(0, 20), LETTERS)
WHICH = st.integers(0, 10)
NAMESPACES = st.sampled_from(["a", "a", "a", "a/b"])


@dataclass(eq=False)
class Request:
    namespace: str
    tokens: Tokens
    """Prompt and what was generated so far."""
    lease: SlotLease
    computed: int


def running(machine: Caches) -> bool:
    return bool(machine.running)


class Caches(RuleBasedStateMachine):
    @initialize(
        kind=st.sampled_from(["radix", "radix", "radix", "force_miss", "none"]),
        capacity=st.integers(8, 80),
        page_size=st.sampled_from([1, 1, 2, 4]),
    )
    def make(self, kind: CacheKind, capacity: int, page_size: int) -> None:
        self.kind = kind
        self.page_size = page_size
        self.cache = make_cache(kind, capacity, page_size=page_size)
        self.content: dict[int, tuple[str, Tokens]] = {}
        self.running: list[Request] = []
        self.ever: list[Request] = []
        self.evicted = 0

    def start(self, namespace: str, tokens: Tokens, lease: Lease) -> None:
        assert isinstance(lease, SlotLease)
        self.running.append(Request(namespace, tokens, lease, lease.cached))
        self.ever.append(self.running[-1])

    def prompt(self, which: int, kept: int, letters: Tokens) -> Tokens:
        earlier = self.ever[which % len(self.ever)].tokens if self.ever else ()
        return (earlier[:kept] + letters)[:24] or (0,)

    def slots(self, request: Request, tokens: int) -> list[int]:
        segments = request.lease.segments(tokens)
        assert all(segment.length > 0 for segment in segments)
        found = [slot for _, start, length in segments for slot in range(start, start + length)]
        assert len(found) == tokens
        return found

    def compute(self, request: Request, tokens: int) -> None:
        """Write the slots of the tokens from `computed` to `tokens`, as the model does."""
        for at, slot in enumerate(self.slots(request, tokens)[request.computed :], request.computed):
            assert at >= request.lease.held  # never into the tree's slots
            self.content[slot] = (request.namespace, request.tokens[: at + 1])
        request.computed = tokens

    @rule(prompt=PROMPTS, namespace=NAMESPACES, whole=st.booleans())
    def match(self, prompt: tuple[int, int, Tokens], namespace: str, whole: bool) -> None:
        tokens = self.prompt(*prompt)
        limit = len(tokens) if whole else len(tokens) - 1
        hit = self.cache.peek(pack(tokens), namespace)
        lease = self.cache.match(pack(tokens), namespace, limit)
        assert lease.cached == lease.held == lease.room == min(hit, limit - limit % self.page_size)
        self.start(namespace, tokens, lease)

    @rule(prompt=PROMPTS, namespace=NAMESPACES)
    def bare(self, prompt: tuple[int, int, Tokens], namespace: str) -> None:
        lease = self.cache.bare(namespace)
        assert lease.cached == lease.held == lease.room == 0
        self.start(namespace, self.prompt(*prompt), lease)

    @precondition(running)
    @rule(which=WHICH, more=st.integers(0, 8), reserve=st.integers(0, 6), generated=LETTERS)
    def extend(self, which: int, more: int, reserve: int, generated: Tokens) -> None:
        """A chunk of the prompt, or past its end, of the answer."""
        request = self.running[which % len(self.running)]
        tokens = request.computed + more
        request.tokens += generated[: max(0, tokens - len(request.tokens))]
        tokens = min(tokens, len(request.tokens))
        before, room = self.cache.stats(), request.lease.room
        short = tokens - room - before.free
        if not self.cache.extend(request.lease, tokens, reserve):
            assert short > before.evictable
            assert self.cache.stats() == before
            assert request.lease.room == room
            return
        assert short <= before.evictable
        assert tokens <= request.lease.room <= max(room, tokens + reserve)
        self.compute(request, tokens)

    @precondition(running)
    @rule(which=WHICH)
    def commit(self, which: int) -> None:
        request = self.running[which % len(self.running)]
        tree, held = self.cache.stats().tree, request.lease.held
        kept = self.cache.commit(request.lease, pack(request.tokens[: request.computed]))
        assert self.cache.stats().tree == tree + kept
        whole = request.computed - request.computed % self.page_size
        assert request.lease.held == (held if self.kind == "none" else max(held, whole))
        assert kept <= request.lease.held - held

    @precondition(running)
    @rule(which=WHICH, keep=st.booleans())
    def finish(self, which: int, keep: bool) -> None:
        """Done, cancelled or retracted."""
        request = self.running.pop(which % len(self.running))
        key = pack(request.tokens[: request.computed])
        if keep:
            self.cache.finish(request.lease, key)
            whole = request.computed - request.computed % self.page_size
            if self.kind == "radix":
                assert self.cache.peek(key, request.namespace) == whole
        else:
            self.cache.release(request.lease)
        assert request.lease.room == 0

    @rule(namespace=st.sampled_from([None, "a", "a/b", "b"]), rarely=st.integers(0, 9))
    def flush(self, namespace: str | None, rarely: int) -> None:
        if rarely:
            return
        before = self.cache.stats()
        gone = sum(self.cache.flushing(namespace))
        after = self.cache.stats()
        assert after.free - before.free == gone == before.tree - after.tree
        if namespace in (None, "a"):
            assert after.evictable == 0
        assert after.evicted == before.evicted

    @precondition(running)
    @rule(rarely=st.integers(0, 9))
    def drain(self, rarely: int) -> None:
        """Finish everything: all that is left is free or evictable."""
        if rarely:
            return
        for request in self.running:
            self.cache.finish(request.lease, pack(request.tokens[: request.computed]))
        self.running.clear()
        stats = self.cache.stats()
        assert stats.leased == 0
        assert stats.evictable == stats.tree

    @invariant()
    def sound(self) -> None:
        self.cache.check_integrity()
        stats = self.cache.stats()
        assert stats.evicted >= self.evicted
        self.evicted = stats.evicted
        assert sum(self.cache.namespaces().values()) == stats.tree
        owners = self.owners()
        for request in self.running:
            for at, slot in enumerate(self.slots(request, request.computed)):
                assert self.content[slot] == (request.namespace, request.tokens[: at + 1])
            for owner, start, length in request.lease.segments(request.lease.room):
                assert {owners.get(slot, 0) for slot in range(start, start + length)} == {owner}

    def owners(self) -> dict[int, int]:
        """The node that holds a slot, for every slot that one holds."""
        owners: dict[int, int] = {}
        if self.kind == "none":
            return owners
        assert isinstance(self.cache, RadixCache)
        pending = [space.root for space in self.cache.tree.spaces.values()]
        while pending:
            node = pending.pop()
            for start, length in node.payload or ():
                owners.update(dict.fromkeys(range(start, start + length), node.id))
            pending += node.children.values()
        return owners


Caches.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_caches = Caches.TestCase
