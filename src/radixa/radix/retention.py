"""What is to go last: TTLs, priorities and pins, within a budget.

A retained node is evicted only when every other unlocked leaf is gone, the one unused for the longest first. So
retention ranks and never locks, and cannot keep a request waiting (law 3). A TTL counts from the node's last use: a hit
starts it anew. Retained tokens have a budget; over it, the account that retains most gives up what it has not used for
the longest, the end of a path before its beginning. A node that loses its retention stays, as an ordinary one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush, heapreplace
from math import inf
from typing import Any, Generic

from radixa.radix.base import Keep, P
from radixa.radix.clock import Clock
from radixa.radix.node import Node
from radixa.radix.spaces import account

_SLACK = 64
"""Dead entries that a heap may have besides as many as it has live ones."""


class _Owned(Generic[P]):
    """What one account retains."""

    __slots__ = ("by_use", "nodes", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.nodes = 0
        self.by_use: list[tuple[float, int, int, Node[P]]] = []
        """Last use, minus depth, id; every retained node has an entry that is not above its own."""


class Retention(Generic[P]):
    """Which nodes are retained. `budget`: the most tokens they may have together.

    `changed` hears of the nodes whose place in the order of eviction may be another now.
    """

    def __init__(self, budget: int, clock: Clock, changed: Callable[[Node[P]], None]) -> None:
        self.budget = budget
        self._clock = clock
        self._changed = changed
        self.tokens = 0
        """Tokens that are retained now."""
        self.nodes = 0
        self.expired = 0
        """Tokens whose TTL ran out: a counter."""
        self.yielded = 0
        """Tokens that lost their retention to the budget: a counter."""
        self._owned: dict[str, _Owned[P]] = {}
        """By account: the part of a namespace's name before the first `/`."""
        self._by_end: list[tuple[float, int, Node[P]]] = []
        """End of the TTL, id; every node whose retention ends by itself has an entry that is not above its own."""

    def grant(self, node: Node[P], keep: Keep) -> None:
        """Retain the path down to `node`, as far as the budget allows."""
        node.granted = node.parent is not None
        for member in node.path():
            before = member.keep
            if before is None:
                self._enter(member, keep)
                self.count(member, member.tokens)
            elif (both := before.merged(keep)) != before:
                member.keep = both
                self._ending(member, both)
        self._changed(node)
        self.keep_budget()

    def count(self, node: Node[P], tokens: int) -> None:
        """The retained `node` has `tokens` tokens more than were counted."""
        self.tokens += tokens
        self._owned[_owner(node)].tokens += tokens

    def split(self, upper: Node[P], lower: Node[P]) -> None:
        """`upper` has taken part of the retained node `lower`."""
        assert lower.keep is not None
        self._enter(upper, lower.keep)

    def release(self, node: Node[P]) -> None:
        """Take the retention of `node` away."""
        self.drop(node)
        self._changed(node)

    def drop(self, node: Node[P]) -> None:
        """Do not count `node` as retained any more; to be called for one that leaves the tree."""
        owner = _owner(node)
        owned = self._owned[owner]
        node.keep = None
        node.granted = False
        tokens = node.tokens
        self.nodes -= 1
        self.tokens -= tokens
        owned.nodes -= 1
        owned.tokens -= tokens
        if not owned.nodes:
            del self._owned[owner]
        elif len(owned.by_use) > 2 * owned.nodes + _SLACK:
            owned.by_use[:] = [(n.used, -n.depth, n.id, n) for n in _retained(owned.by_use)]
            heapify(owned.by_use)

    def ends_by(self, now: float) -> bool:
        """Whether a TTL may have run out by `now`."""
        return bool(self._by_end) and self._by_end[0][0] <= now

    def expire(self) -> None:
        """Take retention whose TTL has run out away."""
        now = self._clock.now()
        heap = self._by_end
        while heap and heap[0][0] <= now:
            _, number, node = heap[0]
            keep = node.keep
            if keep is None or keep.lasts == inf:
                heappop(heap)
                continue
            end = node.used + keep.lasts
            if end > now:
                heapreplace(heap, (end, number, node))
                continue
            heappop(heap)
            node.expired = end
            self.expired += node.tokens
            self.release(node)

    def keep_budget(self) -> None:
        """Take retention away until the budget is kept: first what has expired, then of the account that retains most.

        So nobody's pins cost another account its fair share.
        """
        if self.tokens > self.budget:
            self.expire()
        while self.tokens > self.budget:
            heap = max(self._owned.values(), key=lambda owned: owned.tokens).by_use
            used, depth, number, node = heap[0]
            if node.keep is None:
                heappop(heap)
            elif (used, depth) != (node.used, -node.depth):
                heapreplace(heap, (node.used, -node.depth, number, node))
            else:
                heappop(heap)
                self.yielded += node.tokens
                self.release(node)

    def _enter(self, node: Node[P], keep: Keep) -> None:
        owned = self._owned.setdefault(_owner(node), _Owned())
        node.keep = keep
        self.nodes += 1
        owned.nodes += 1
        heappush(owned.by_use, (node.used, -node.depth, node.id, node))
        self._ending(node, keep)

    def _ending(self, node: Node[P], keep: Keep) -> None:
        """See to it that the end of a TTL is noticed."""
        if keep.lasts == inf:
            return
        heappush(self._by_end, (node.used + keep.lasts, node.id, node))
        if len(self._by_end) > 2 * self.nodes + _SLACK:
            self._by_end[:] = [
                (n.used + n.keep.lasts, n.id, n)
                for n in _retained(self._by_end)
                if n.keep is not None and n.keep.lasts < inf
            ]
            heapify(self._by_end)


def _owner(node: Node[Any]) -> str:
    return account(node.space.name)


def _retained(heap: Iterable[tuple[Any, ...]]) -> list[Node[Any]]:
    """The retained nodes with an entry in `heap`, each once."""
    found = {entry[-1].id: entry[-1] for entry in heap}
    return [node for node in found.values() if node.keep is not None]
