"""What was in the cache and had to go: a bounded memory, so that a miss can be explained.

Ghosts are paths in a tree of their own, whose nodes carry when and why their tokens left. Entering one costs more than
an eviction itself, so nodes are only noted as they leave, and entered when somebody asks or many have come together.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix import Listener, Node, PayloadType, Reason, Span, Tree, removing, removing_prefix

CHECKED = 8
"""A ghost explains a miss if it covers at least so many of the tokens that follow, or all of them."""

_NOTED = 256
"""Nodes that are noted at most before they are entered."""


class Departure(NamedTuple):
    """When tokens left the cache, by the tree's clock, and whether their TTL had run out before."""

    at: float
    expired: bool
    tokens: int = 0
    """How many tokens from there on had been there."""


_LEFT: PayloadType[Departure | None] = PayloadType(
    split=lambda left, tokens: (left, left), join=lambda first, second: second
)


class Ghosts(Listener[Any]):
    """Remembers up to `capacity` tokens that left a tree; the longest gone are forgotten first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._paths: Tree[Departure | None] = Tree(_LEFT)
        self._noted: list[Node[Any]] = []

    def removed(self, node: Node[Any], reason: Reason) -> None:
        if reason == "flush":  # whoever drops something does not want it remembered
            return
        self._noted.append(node)
        if len(self._noted) >= _NOTED:
            self._enter()

    def departure(self, key: bytes, at: int, namespace: str) -> Departure | None:
        """When token `at` of `key`, after all those before it, left; None where it was not there."""
        self._enter()
        covered = self._paths.peek(key, namespace)
        if covered - at < min(CHECKED, len(key) // TOKEN_BYTES - at):
            return None
        left = self._paths.match(key, namespace, at + 1).node.payload
        return None if left is None else left._replace(tokens=covered - at)

    def forget(self, namespace: str | None, session: str | None, prefix: bytes | None) -> None:
        """Forget what a flush of the same arguments drops from the cache."""
        self._enter()
        if prefix is None:
            gone = removing(self._paths, self._paths.roots(namespace), session)
        else:
            gone = removing_prefix(self._paths, prefix, namespace or "")
        deque(gone, maxlen=0)

    def _enter(self) -> None:
        for node in self._noted:
            key, namespace = node.key(), node.space.name
            expired = node.expired > 0.0 and node.used <= node.expired
            left = Departure(node.expired if expired else node.left, expired)
            # The path above is entered on its own first, so that a node ends where the departed one began.
            self._paths.insert(key[: node.depth * TOKEN_BYTES], None, namespace)
            found = self._paths.insert(key, left, namespace, spans=(Span(node.end, node.origin),)).node
            while found.parent is not None and found.depth >= node.depth:
                found.payload = left
                found = found.parent
        self._noted.clear()
        surplus = self._paths.tokens - self._capacity
        if surplus > 0:
            self._paths.evict(surplus)
