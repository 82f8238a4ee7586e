"""The order in which leaves go."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Generic

from radixa.radix.base import GroupedPolicy, P, Policy
from radixa.radix.node import Node

_SLACK = 64
"""A queue with fewer entries than twice this is not worth pruning."""


class EvictionQueue(Generic[P]):
    """Evictable nodes in the order of a key: a heap that is revalidated as its entries come up, never rebuilt.

    Every node that stands in this queue has an entry whose key is at most its own. A node whose key grew, as under LRU
    with each touch, keeps its old entry until that reaches the top; a node that is no longer evictable, or stands in
    another queue by now, loses its entry there.
    """

    __slots__ = ("_heap", "_key", "_pruned")

    def __init__(self, key: Callable[[Node[P]], Any]) -> None:
        self._key = key
        self._heap: list[tuple[Any, int, Node[P]]] = []
        self._pruned = _SLACK
        """Entries after the last pruning, or a few where that left fewer."""

    def offer(self, node: Node[P]) -> None:
        """`node` has become evictable, or has been touched while it was; it stands in this queue now."""
        key = self._key(node)
        if node.queued is None or node.queue is not self or key < node.queued:
            node.queue = self
            node.queued = key
            heappush(self._heap, (key, node.id, node))
            if len(self._heap) > 2 * self._pruned:
                self.prune()
        elif key != node.queued:
            # Every touch leaves one entry behind its node's key, so one is looked at for every touch: however many
            # there are, an eviction does not meet them all at once.
            self._settled()

    def first(self) -> Node[P] | None:
        """The node that goes first, left where it is."""
        while self._heap:
            if self._settled():
                return self._heap[0][2]
        return None

    def pop(self) -> Node[P] | None:
        """Take out the node that goes first. The same as `first` and a removal, without a call for every entry."""
        heap = self._heap
        while heap:
            queued, number, node = heap[0]
            if node.queue is not self or node.queued != queued:
                heappop(heap)
            elif node.locks or node.children or node.gone:
                heappop(heap)
                node.queued = None
            else:
                key = self._key(node)
                if key == queued:
                    heappop(heap)
                    node.queued = None
                    return node
                node.queued = key
                heapreplace(heap, (key, number, node))
        return None

    def prune(self) -> None:
        """Let go of entries that stand for nothing."""
        live = [e for e in self._heap if not e[2].gone and e[2].queue is self and e[2].queued == e[0]]
        # In place, because a loop over `_settled` may be under way.
        self._heap[:] = live
        heapify(self._heap)
        self._pruned = max(len(live), _SLACK)

    def _settled(self) -> bool:
        """Whether the first entry is its node's; where not, it is put right or dropped."""
        heap = self._heap
        queued, number, node = heap[0]
        if node.queue is not self or node.queued != queued:  # it stands elsewhere, or under a smaller key
            heappop(heap)
        elif node.locks or node.children or node.gone:
            heappop(heap)
            node.queued = None
        else:
            key = self._key(node)
            if key == queued:
                return True
            node.queued = key
            heapreplace(heap, (key, number, node))
        return False


class EvictionOrder(Generic[P]):
    """All evictable nodes: in the policy's order, and after those the retained ones by last use."""

    def __init__(self, policy: Policy) -> None:
        self._grouped = policy if isinstance(policy, GroupedPolicy) else None
        self._key: Callable[[Node[P]], Any] = policy.key if isinstance(policy, GroupedPolicy) else policy
        self._plain: EvictionQueue[P] = EvictionQueue(self._key)
        self._groups: dict[Hashable, EvictionQueue[P]] = {}
        self._retained: EvictionQueue[P] = EvictionQueue(_used)
        if isinstance(policy, GroupedPolicy):
            policy.again = self.offer

    def offer(self, node: Node[P]) -> None:
        """`node` may have become evictable, or it was and has been touched, or its retention has changed."""
        if node.locks or node.children or node.gone or node.parent is None:
            return
        if node.keep is not None:
            self._retained.offer(node)
        elif self._grouped is None:
            self._plain.offer(node)
        else:
            group = self._grouped.group(node)
            queue = self._groups.get(group)
            if queue is None:
                queue = self._groups[group] = EvictionQueue(self._key)
            queue.offer(node)

    def pop(self, now: float) -> Node[P] | None:
        """Take out the evictable node that goes first; the caller removes it from the tree."""
        queue = self._plain if self._grouped is None else self._picked(self._grouped, now)
        return queue.pop() or self._retained.pop()

    def prune(self) -> None:
        """Let go of nodes that have left the tree."""
        for queue in (self._plain, self._retained, *self._groups.values()):
            queue.prune()

    def _picked(self, policy: GroupedPolicy, now: float) -> EvictionQueue[P]:
        """The queue of the group that the policy picks; an empty one where no group has a node."""
        heads = []
        for group, queue in list(self._groups.items()):
            node = queue.first()
            if node is None:
                del self._groups[group]
            else:
                heads.append(node)
        if not heads:
            return self._plain
        node = heads[0] if len(heads) == 1 else policy.pick(heads, now)
        return node.queue  # type: ignore[no-any-return]  # it stands in one of these


def _used(node: Node[Any]) -> float:
    return node.used
