"""Which of a few numbered places have seen which prompts: the tree, its nodes carrying the numbers.

The replicas of a server and the cache keys of OpenAI are such places. Bounded: what was not used for the longest goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import NamedTuple

from radixa.radix import PayloadType, Tree

MOST_PIECES = 1 << 17
"""Pieces (`pieces.py`) in the tree: half a MiB of hashes."""
MOST_NODES = 1 << 14
"""About 600 bytes each."""

_NUMBERS: PayloadType[set[int]] = PayloadType(
    split=lambda numbers, tokens: (set(numbers), set(numbers)), join=lambda first, second: first | second
)


class Seen(NamedTuple):
    """A beginning of a prompt that was seen before."""

    pieces: int
    numbers: frozenset[int]
    """Where."""
    continued: bool
    """It is the whole of what was seen, so far nothing else went on from there: the same conversation, most likely."""


class Tracks:
    """Paths of prompts (`pieces.path_of`), each with the numbers of the places that they went to."""

    def __init__(
        self,
        most_pieces: int = MOST_PIECES,
        most_nodes: int = MOST_NODES,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.tree: Tree[set[int]] = Tree(_NUMBERS, clock=clock)
        self._most_pieces = most_pieces
        self._most_nodes = most_nodes

    def seen(self, path: bytes, namespace: str) -> Iterator[Seen]:
        """The beginnings of `path` that were seen, the longest first."""
        found = self.tree.trace(path, namespace)
        node = found.node
        if found.partly is not None and found.tokens > node.end:
            yield Seen(found.tokens, frozenset(found.partly.payload), continued=False)
        while node.parent is not None:
            yield Seen(node.end, frozenset(node.payload), continued=not node.children)
            node = node.parent

    def add(self, path: bytes, namespace: str, number: int) -> None:
        """A prompt with that path went to place `number`."""
        node = self.tree.insert(path, {number}, namespace).node
        while node.parent is not None:
            node.payload.add(number)
            node = node.parent
        while self.tree.tokens > self._most_pieces or self.tree.nodes > self._most_nodes:
            self.tree.evict(1)
