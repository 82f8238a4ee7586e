"""The prefix cache: a radix tree whose nodes carry KV slots, and a pool of those that are free."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from time import monotonic

from radixa.core.tokens import TOKEN_BYTES, count
from radixa.kv import runs
from radixa.kv.base import CacheStats, Lease
from radixa.kv.integrity import check
from radixa.kv.lease import SlotLease
from radixa.kv.pool import SlotPool
from radixa.kv.runs import RUNS, Runs
from radixa.radix import EvictionPolicy, NodeView, Tree


class RadixCache:
    """What one request has computed, the next that begins alike is lent (`base.PrefixCache`).

    With a page size above 1 the tree holds whole pages, and the tail of a request's last page stays its lease's own.
    """

    shares = True

    def __init__(
        self, capacity: int, *, page_size: int, policy: EvictionPolicy, clock: Callable[[], float] = monotonic
    ) -> None:
        self.pool = SlotPool(capacity)
        self.tree: Tree[Runs] = Tree(RUNS, page_size=page_size, policy=policy, clock=clock)
        self.leases: set[SlotLease] = set()

    @property
    def version(self) -> int:
        return self.tree.version

    def peek(self, key: bytes, namespace: str) -> int:
        return self.tree.peek(key, namespace)

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

    def commit(self, lease: Lease, key: bytes) -> int:
        own = self._mine(lease)
        tokens = count(key)
        if not own.held <= tokens <= own.room:
            raise ValueError(f"commit of {tokens} tokens by a lease that holds {own.held} and has room for {own.room}")
        tokens -= tokens % self.tree.page_size
        if tokens <= own.held:
            return 0
        computed, rest = runs.split(own.own, tokens - own.held)
        node = own.node
        if node is own.grown and node.locks == 1 and not node.children:
            # Nobody else is on the node that this lease began, so it goes on: however a path is cut into commits, it
            # lies in the tree as if it had come in one.
            self.tree.grow(node, key[own.held * TOKEN_BYTES : tokens * TOKEN_BYTES], computed)
            kept = tokens - own.held
        else:
            found = self.tree.insert(key[: tokens * TOKEN_BYTES], computed, own.namespace, own.held)
            self.tree.lock(found.node, above=node)
            # The tree had these tokens, so the lease is moved to its slots. The duplicates were this lease's own: no
            # other request can map them.
            self.pool.give(found.unused)
            node = found.node
            kept = tokens - found.matched
            own.grown = node if kept else None
        own.move(node, tokens, rest)
        return kept

    def finish(self, lease: Lease, key: bytes) -> int:
        kept = self.commit(lease, key)
        self.release(lease)
        return kept

    def release(self, lease: Lease) -> None:
        own = self._mine(lease)
        self.leases.remove(own)
        self.tree.unlock(own.node)
        self.pool.give(own.own)
        own.move(self.tree.nowhere, 0, ())

    def flush(self, namespace: str | None = None) -> int:
        gone = self.tree.flush(namespace)
        for payload in gone.payloads:
            self.pool.give(payload)
        return gone.tokens

    def namespaces(self) -> dict[str, int]:
        return self.tree.namespaces()

    def walk(self, namespace: str | None = None, limit: int | None = None) -> list[NodeView]:
        return list(islice(self.tree.walk(namespace), limit))

    def stats(self) -> CacheStats:
        return CacheStats(
            capacity=self.pool.capacity,
            free=self.pool.free,
            tree=self.tree.tokens,
            leased=sum(lease.room - lease.held for lease in self.leases),
            evictable=self.tree.evictable,
            nodes=self.tree.nodes,
            evicted=self.tree.evicted,
        )

    def check_integrity(self) -> None:
        check(self)

    def _open(self, lease: SlotLease) -> SlotLease:
        self.leases.add(lease)
        return lease

    def _mine(self, lease: Lease) -> SlotLease:
        """The lease as this cache made it; ValueError where it is closed or not of this cache."""
        if not isinstance(lease, SlotLease) or lease not in self.leases:
            raise ValueError("the lease was finished or released before, or is another cache's")
        return lease
