"""Adaptive replacement (Megiddo and Modha, FAST 2003), over leaves and in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radixa.radix.base import GroupedPolicy, Reason
from radixa.radix.node import Node
from radixa.radix.policies.ghosts import Ghosts

ONCE, AGAIN = 0, 1
"""Nodes used once, and nodes that were used again: T1 and T2 of the paper."""


class Arc(GroupedPolicy):
    """Shares the cache between what was used once and what was used again, and learns how.

    Each of the two is kept by last use. What was evicted from either is remembered (B1, B2); what comes back from there
    shows that its side was too small, and moves the share.
    """

    def __init__(self) -> None:
        self._target = 0.0
        """Tokens that the nodes used once should have."""
        self._tokens = [0, 0]
        self._capacity = 0
        """The most tokens that were in the tree."""
        once: Ghosts[None] = Ghosts()
        self._ghosts: tuple[Ghosts[None], Ghosts[None]] = (once, Ghosts(once))
        self._back: set[int] = set()
        """Nodes that came back from a ghost: used again, whatever their hits say."""

    def group(self, node: Node[Any]) -> int:
        return AGAIN if node.hits or node.id in self._back else ONCE

    def key(self, node: Node[Any]) -> float:
        return node.used

    def pick(self, heads: Sequence[Node[Any]], now: float) -> Node[Any]:
        wanted = ONCE if self._tokens[ONCE] > self._target else AGAIN
        return next((head for head in heads if self.group(head) == wanted), heads[0])

    def added(self, node: Node[Any], tokens: int) -> None:
        side = self.group(node)
        if tokens == node.tokens and self._returned(node, tokens):
            side = AGAIN
        self._tokens[side] += tokens
        self._capacity = max(self._capacity, sum(self._tokens))

    def split(self, upper: Node[Any], lower: Node[Any]) -> None:
        if lower.id in self._back:
            self._back.add(upper.id)

    def matched(self, node: Node[Any], tokens: int) -> None:
        # A node has at least the hits of any below it, so those hit for the first time are the last of the path.
        while node.hits == 1 and node.parent is not None:
            if node.id not in self._back:
                self._tokens[ONCE] -= node.tokens
                self._tokens[AGAIN] += node.tokens
            node = node.parent

    def removed(self, node: Node[Any], reason: Reason) -> None:
        side = self.group(node)
        self._tokens[side] -= node.tokens
        self._back.discard(node.id)
        ghosts = self._ghosts[side]
        if reason == "capacity":
            ghosts.put(node, None)
        else:
            ghosts.forget(node)
        once, again = self._ghosts
        while len(once) and self._tokens[ONCE] + once.tokens > self._capacity:
            once.oldest()
        while len(again) and sum(self._tokens) + once.tokens + again.tokens > 2 * self._capacity:
            again.oldest()

    def _returned(self, node: Node[Any], tokens: int) -> bool:
        """Whether the new node is a ghost's, and what follows from that for the share."""
        once, again = self._ghosts
        sizes = max(once.tokens, 1), max(again.tokens, 1)
        if once.take(node) is not None:
            self._target = min(self._capacity, self._target + tokens * max(1.0, sizes[AGAIN] / sizes[ONCE]))
        elif again.take(node) is not None:
            self._target = max(0.0, self._target - tokens * max(1.0, sizes[ONCE] / sizes[AGAIN]))
        else:
            return False
        self._back.add(node.id)
        return True
