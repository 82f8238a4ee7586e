"""The orders in which passages were handed out lately, by collection: what prompts with them have put into a cache.

A prompt holds its passages as they were handed to it, whichever cache answers it, the embedded engine's or an
upstream's. An order is a path in the tree, its tokens the passages' ids. Where the cache has dropped what an order left
there, following it costs nothing against any other order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from radixa.core.tokens import pack, unpack
from radixa.radix import NOTHING, Node, Tree, lru

CAPACITY = 100_000
"""Ids that are remembered, of all collections; the orders not used for the longest go first."""
LASTS_S = 3_600.0
"""After that long an order is no longer followed: few caches keep a prompt that nobody used."""
MOST_PATHS = 256
"""Orders that one question looks at, the last used first."""


class Orders:
    """Safe to use from several threads. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._tree: Tree[None] = Tree(NOTHING, policy=lru, clock=clock)
        self._lock = threading.Lock()

    def add(self, scope: str, ids: Sequence[int]) -> None:
        """`ids` were handed out in this order. `scope`: whose, and of which collection."""
        with self._lock:
            self._tree.insert(pack(ids), None, scope)
            over = self._tree.tokens - self._capacity
            if over > 0:
                self._tree.evict(over)

    def held(self, scope: str, chosen: Sequence[int]) -> list[tuple[int, ...]]:
        """The longest beginnings of remembered orders that consist of `chosen` ids, the last used first."""
        since = self._clock() - LASTS_S
        with self._lock:
            found = []
            for root in self._tree.roots(scope):
                for _, path in zip(range(MOST_PATHS), _paths(root, (), chosen, since), strict=False):
                    found.append(path)
        return found


def _paths(node: Node[None], path: tuple[int, ...], chosen: Sequence[int], since: float) -> Iterator[tuple[int, ...]]:
    """Depth first. An order holds no id twice, so the depth is at most the number of those wanted."""
    ended = True
    children = (node.children.get(pack([one])) for one in chosen)
    for child in sorted(filter(None, children), key=lambda child: -child.used):
        if child.used < since:
            break
        taken = path
        ids = unpack(child.segment)
        for one in ids:
            if one not in chosen:
                break
            taken = (*taken, one)
        ended = False
        if len(taken) == len(path) + len(ids):
            yield from _paths(child, taken, chosen, since)
        else:
            yield taken
    if ended and path:
        yield path
