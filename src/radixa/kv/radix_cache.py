"""The prefix cache: a radix tree whose nodes carry KV slots, and a pool of those that are free."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from radixa.core.base import Explanation, Miss
from radixa.core.tokens import TOKEN_BYTES, count
from radixa.kv import runs
from radixa.kv.base import CacheStats, Lease
from radixa.kv.explain import explain
from radixa.kv.ghosts import Ghosts
from radixa.kv.integrity import check
from radixa.kv.lease import SlotLease
from radixa.kv.pool import SlotPool
from radixa.kv.runs import RUNS, Runs
from radixa.kv.volatile import VolatileSpans
from radixa.radix import (
    MAX_LEVELS,
    Keep,
    Listener,
    Node,
    NodeView,
    Policy,
    Span,
    Tree,
    finding,
    lru,
    removing,
    removing_prefix,
    set_keep,
)

GHOSTS = 4
"""What has gone is remembered for so many times the capacity."""
_ID_BITS = 48
"""Ids begin below 2^48, and stay below the 2^52 that a viewer can hold."""


class RadixCache:
    """What one request has computed, the next that begins alike is lent (`base.PrefixCache`).

    With a page size above 1 the tree holds whole pages, and the tail of a request's last page stays its lease's own.
    """

    shares = True

    def __init__(
        self,
        capacity: int,
        *,
        page_size: int = 1,
        policy: Policy = lru,
        retention: float = 0.5,
        listeners: Sequence[Listener[Runs]] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`retention`: the share of the capacity that TTLs, priorities and pins may keep."""
        self.pool = SlotPool(capacity)
        self.ghosts = Ghosts(GHOSTS * capacity)
        self.volatile = VolatileSpans()
        self.tree: Tree[Runs] = Tree(
            RUNS,
            page_size=page_size,
            policy=policy,
            budget=int(retention * capacity),
            listeners=(self.ghosts, *listeners),
            clock=clock,
            # Whoever still has the id of a node of an engine before this one finds no other node under it.
            last_id=secrets.randbits(_ID_BITS),
        )
        self.leases: set[SlotLease] = set()

    @property
    def version(self) -> int:
        return self.tree.version

    def peek(self, key: bytes, namespace: str) -> int:
        return self.tree.peek(key, namespace)

    def explain(self, key: bytes, namespace: str, *, read: bool, below: int = 0, remember: bool = False) -> Explanation:
        if not read:
            return Explanation(count(key), 0, miss=Miss(0, "disabled"))
        return explain(self, key, namespace, below, remember=remember)

    def match(self, key: bytes, namespace: str, limit: int) -> Lease:
        found = self.tree.match(key, namespace, limit)
        self.tree.lock(found.node)
        return self._open(SlotLease(self.tree, namespace, found.node, found.tokens))

    def bare(self, namespace: str) -> Lease:
        return self._open(SlotLease(self.tree, namespace, self.tree.nowhere, 0))

    def extend(self, lease: Lease, tokens: int, reserve: int = 0) -> bool:
        own = self._mine(lease)
        need = tokens - own.room
        if need <= 0:
            return True
        short = need - self.pool.free
        if short > 0:
            if short > self.tree.evictable:
                return False
            for payload in self.tree.evict(short).payloads:
                self.pool.give(payload)
        taken = self.pool.take(need, need + reserve, own.end)
        own.move(own.node, own.held, runs.join(own.own, taken))
        return True

    def commit(self, lease: Lease, key: bytes, spans: Sequence[Span] = ()) -> int:
        own = self._mine(lease)
        end = count(key)
        if not own.held <= end <= own.room:
            raise ValueError(f"commit of {end} tokens by a lease that holds {own.held} and has room for {own.room}")
        end -= end % self.tree.page_size
        kept = 0
        grown = self._growable(own, end, spans)
        if grown > own.held:
            kept = self._grow(own, key, grown)
        if end > own.held:
            kept += self._insert(own, key, end, spans)
        return kept

    def settle(self, lease: Lease, key: bytes, spans: Sequence[Span] = (), keep: Keep | None = None) -> int:
        own = self._mine(lease)
        kept = self.commit(own, key, spans)
        if keep is not None:
            self.tree.retain(own.node, keep)
        self.pool.give(own.own)
        own.move(own.node, own.held, ())
        return kept

    def finish(self, lease: Lease, key: bytes, spans: Sequence[Span] = (), keep: Keep | None = None) -> int:
        kept = self.settle(lease, key, spans, keep)
        self.release(lease)
        return kept

    def release(self, lease: Lease) -> None:
        own = self._mine(lease)
        self.leases.remove(own)
        self.tree.unlock(own.node)
        self.pool.give(own.own)
        own.move(self.tree.nowhere, 0, ())

    def flushing(
        self, namespace: str | None = None, session: str | None = None, prefix: bytes | None = None
    ) -> Iterator[int]:
        if prefix is None:
            removed = removing(self.tree, self.tree.roots(namespace), session)
        else:
            removed = removing_prefix(self.tree, prefix, namespace or "")
        for node in removed:
            self.pool.give(node.payload)
            yield node.tokens
        self.ghosts.forget(namespace, session, prefix)
        self.volatile.forget(namespace)

    def namespaces(self) -> dict[str, int]:
        return self.tree.namespaces()

    def walk(
        self, namespace: str | None = None, *, levels: int = MAX_LEVELS, min_tokens: int = 1
    ) -> Iterator[NodeView]:
        return self.tree.walk(namespace, levels=levels, min_tokens=min_tokens)

    def locked(self) -> list[Node[Runs]]:
        return [lease.node for lease in self.leases if lease.node.parent is not None]

    def find(self, number: int, namespace: str | None = None) -> Iterator[Node[Runs] | None]:
        return finding(self.tree.roots(namespace), number)

    def keep(self, node: Node[Runs], keep: Keep | None) -> None:
        set_keep(self.tree, node, keep)

    def stats(self) -> CacheStats:
        self.tree.expire()
        return CacheStats(
            capacity=self.pool.capacity,
            free=self.pool.free,
            tree=self.tree.tokens,
            leased=sum(lease.room - lease.held for lease in self.leases),
            evictable=self.tree.evictable,
            nodes=self.tree.nodes,
            evicted=self.tree.evicted,
            flushed=self.tree.flushed,
            retained=self.tree.retention.tokens,
            retention_budget=self.tree.retention.budget,
            expired=self.tree.retention.expired,
            yielded=self.tree.retention.yielded,
        )

    def check_integrity(self) -> None:
        check(self)

    def _growable(self, own: SlotLease, end: int, spans: Sequence[Span]) -> int:
        """How far towards `end` the node that this lease began may go on: to the end of its span, where nobody else is
        on it. However a path is cut into commits, it lies in the tree as if it had come in one."""
        node = own.node
        if node is not own.grown or node.locks != 1 or node.children:
            return own.held
        page = self.tree.page_size
        limit = next((span.end - span.end % page for span in spans if span.end - span.end % page >= own.held), end)
        return min(limit, end)

    def _grow(self, own: SlotLease, key: bytes, end: int) -> int:
        computed, rest = runs.split(own.own, end - own.held)
        self.tree.grow(own.node, key[own.held * TOKEN_BYTES : end * TOKEN_BYTES], computed)
        kept = end - own.held
        own.move(own.node, end, rest)
        return kept

    def _insert(self, own: SlotLease, key: bytes, end: int, spans: Sequence[Span]) -> int:
        computed, rest = runs.split(own.own, end - own.held)
        found = self.tree.insert(key[: end * TOKEN_BYTES], computed, own.namespace, own.held, spans)
        self.tree.lock(found.node, above=own.node)
        # The tree had these tokens, so the lease is moved to its slots. The duplicates were this lease's own: no other
        # request can map them.
        self.pool.give(found.unused)
        kept = end - found.matched
        own.grown = found.node if kept else None
        own.move(found.node, end, rest)
        return kept

    def _open(self, lease: SlotLease) -> SlotLease:
        self.leases.add(lease)
        return lease

    def _mine(self, lease: Lease) -> SlotLease:
        """The lease as this cache made it; ValueError where it is closed or not of this cache."""
        if not isinstance(lease, SlotLease) or lease not in self.leases:
            raise ValueError("the lease was finished or released before, or is another cache's")
        return lease
