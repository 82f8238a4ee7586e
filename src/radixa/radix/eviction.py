"""The order in which leaves go."""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Generic

from radixa.radix.base import EvictionPolicy, P
from radixa.radix.node import Node


class EvictionQueue(Generic[P]):
    """Evictable nodes in a policy's order: a heap that is revalidated as its entries come up, never rebuilt.

    Every evictable node has an entry whose key is at most its own. A node whose key grew, as under LRU with each touch,
    keeps its old entry until that reaches the top; a node that is no longer evictable loses its entry there.
    """

    __slots__ = ("_heap", "_policy")

    def __init__(self, policy: EvictionPolicy) -> None:
        self._policy = policy
        self._heap: list[tuple[Any, int, Node[P]]] = []

    def offer(self, node: Node[P]) -> None:
        """`node` has become evictable, or has been touched while it was."""
        key = self._policy(node)
        if node.queued is None or key < node.queued:
            node.queued = key
            heappush(self._heap, (key, node.id, node))

    def pop(self) -> Node[P] | None:
        """Take out the evictable node that goes first; the caller removes it from the tree."""
        heap = self._heap
        while heap:
            queued, _, node = heap[0]
            if node.queued != queued:  # a smaller entry of the node has been here since
                heappop(heap)
            elif node.locks or node.children or node.parent is None:
                heappop(heap)
                node.queued = None
            else:
                key = self._policy(node)
                if key == queued:
                    heappop(heap)
                    node.queued = None
                    return node
                node.queued = key
                heapreplace(heap, (key, node.id, node))
        return None

    def prune(self) -> None:
        """Let go of nodes that have left the tree."""
        self._heap = [entry for entry in self._heap if entry[2].parent is not None]
        heapify(self._heap)
