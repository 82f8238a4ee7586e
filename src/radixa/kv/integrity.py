"""What must hold of a cache between any two calls (law 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixa.kv.base import SlotRun
from radixa.kv.runs import count

if TYPE_CHECKING:
    from radixa.kv.radix_cache import RadixCache


def check(cache: RadixCache) -> None:
    """Raise AssertionError unless every slot has exactly one holder, and every lease's path is sound and locked."""
    cache.pool.check_integrity()
    cache.tree.check_integrity()
    holder: list[str] = [""] * cache.pool.capacity

    def hold(runs: tuple[SlotRun, ...], name: str) -> None:
        for start, length in runs:
            for slot in range(start, start + length):
                assert not holder[slot], f"slot {slot} is held by {holder[slot]} and by {name}"
                holder[slot] = name

    hold(cache.pool.runs(), "the pool")
    locks: dict[int, int] = {}
    for lease in cache.leases:
        name = f"a lease that holds {lease.held} tokens"
        hold(lease.own, name)
        path = lease.node.path()
        assert lease.held == sum(node.tokens for node in path), f"{name} ends in {lease.node!r}, at another depth"
        assert lease.room == lease.held + count(lease.own), f"{name} has {count(lease.own)} slots, room {lease.room}"
        for node in path:
            locks[node.id] = locks.get(node.id, 0) + 1
    pending = [child for space in cache.tree.spaces.values() for child in space.root.children.values()]
    while pending:
        node = pending.pop()
        hold(node.payload, repr(node))
        assert count(node.payload) == node.tokens, f"{node!r} has {count(node.payload)} slots"
        assert node.locks == locks.get(node.id, 0), f"{node!r} is locked by {locks.get(node.id, 0)} leases"
        pending.extend(node.children.values())
    lost = holder.count("")
    assert not lost, f"{lost} slots have no holder, the first of them {holder.index('') if lost else None}"
    stats = cache.stats()
    assert stats.free + stats.tree + stats.leased == stats.capacity, f"slots are not conserved: {stats}"
