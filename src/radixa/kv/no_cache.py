"""The cache that is off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radixa.core.base import Explanation, Miss
from radixa.core.tokens import count
from radixa.kv import runs
from radixa.kv.base import CacheStats, Lease
from radixa.kv.lease import SlotLease
from radixa.kv.pool import SlotPool
from radixa.kv.runs import RUNS, Runs
from radixa.radix import MAX_LEVELS, Keep, Node, NodeView, Span, Tree


class NoCache:
    """Slots for running requests and nothing kept: the peer of `RadixCache` that never shares (`base.PrefixCache`)."""

    shares = False
    version = 0

    def __init__(self, capacity: int) -> None:
        self.pool = SlotPool(capacity)
        self.leases: set[SlotLease] = set()
        # Leases know where their path ends; here that is always the root of this tree, which stays empty.
        self._empty = Tree(RUNS)

    def peek(self, key: bytes, namespace: str) -> int:
        return 0

    def explain(self, key: bytes, namespace: str, *, read: bool, below: int = 0, remember: bool = False) -> Explanation:
        return Explanation(count(key), 0, miss=Miss(0, "disabled"))

    def match(self, key: bytes, namespace: str, limit: int) -> Lease:
        return self.bare(namespace)

    def bare(self, namespace: str) -> Lease:
        lease = SlotLease(self._empty, namespace, self._empty.nowhere, 0)
        self.leases.add(lease)
        return lease

    def extend(self, lease: Lease, tokens: int, reserve: int = 0) -> bool:
        own = self._mine(lease)
        need = tokens - own.room
        if need > self.pool.free:
            return False
        if need > 0:
            own.move(own.node, 0, runs.join(own.own, self.pool.take(need, need + reserve, own.end)))
        return True

    def commit(self, lease: Lease, key: bytes, spans: Sequence[Span] = ()) -> int:
        return 0

    def settle(self, lease: Lease, key: bytes, spans: Sequence[Span] = (), keep: Keep | None = None) -> int:
        own = self._mine(lease)
        self.pool.give(own.own)
        own.move(own.node, 0, ())
        return 0

    def finish(self, lease: Lease, key: bytes, spans: Sequence[Span] = (), keep: Keep | None = None) -> int:
        self.settle(lease, key)
        self.release(lease)
        return 0

    def release(self, lease: Lease) -> None:
        own = self._mine(lease)
        self.leases.remove(own)
        self.pool.give(own.own)
        own.move(self._empty.nowhere, 0, ())

    def flushing(
        self, namespace: str | None = None, session: str | None = None, prefix: bytes | None = None
    ) -> Iterator[int]:
        return iter(())

    def namespaces(self) -> dict[str, int]:
        return {}

    def walk(
        self, namespace: str | None = None, *, levels: int = MAX_LEVELS, min_tokens: int = 1
    ) -> Iterator[NodeView]:
        return iter(())

    def locked(self) -> list[Node[Runs]]:
        return []

    def find(self, number: int, namespace: str | None = None) -> Iterator[Node[Runs] | None]:
        return iter(())

    def keep(self, node: Node[Runs], keep: Keep | None) -> None:
        raise ValueError(f"{node!r} is not of this cache, which keeps nothing")

    def stats(self) -> CacheStats:
        leased = sum(lease.room for lease in self.leases)
        return CacheStats(capacity=self.pool.capacity, free=self.pool.free, leased=leased)

    def check_integrity(self) -> None:
        self.pool.check_integrity()
        stats = self.stats()
        assert stats.free + stats.leased == stats.capacity, f"slots are not conserved: {stats}"

    def _mine(self, lease: Lease) -> SlotLease:
        """The lease as this cache made it; ValueError where it is closed or not of this cache."""
        if not isinstance(lease, SlotLease) or lease not in self.leases:
            raise ValueError("the lease was finished or released before, or is another cache's")
        return lease
