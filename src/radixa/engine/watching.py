"""What happened to the tree, for viewers: nodes by their ids, from one question to the next.

While nobody asks, every event of the tree costs one comparison. While somebody does, the engine's loop notes which
nodes changed, each once however often it did, and looks at them only when it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from radixa.engine.base import Changes, Removal, Touch
from radixa.radix import Listener, Node, Reason, account, view

WATCH_SECONDS = 10.0
"""After so long without a question nobody is watching."""
MOST_NOTES = 50_000
"""Nodes that are noted at most; of what more happens only whose it was is told."""
SLICE = 1_000
"""Nodes in one answer, at most."""


class Watching(Listener[Any]):
    """Hears one tree, and tells it to one client."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until = 0.0
        """Until when somebody is watching; 0.0 where nobody is."""
        self._changed: dict[int, Node[Any]] = {}
        self._hit: dict[int, Node[Any]] = {}
        self._removed: dict[int, Removal] = {}
        self._lost: set[str] = set()

    def added(self, node: Node[Any], tokens: int) -> None:
        if self._until:
            self._note(self._changed, node)

    def split(self, upper: Node[Any], lower: Node[Any]) -> None:
        if self._until:
            self._note(self._changed, upper)
            self._note(self._changed, lower)

    def matched(self, node: Node[Any], tokens: int) -> None:
        if self._until and tokens:
            self._note(self._hit, node)

    def kept(self, node: Node[Any]) -> None:
        if self._until:
            self._note(self._hit, node)

    def removed(self, node: Node[Any], reason: Reason) -> None:
        if not self._until:
            return
        self._changed.pop(node.id, None)
        self._hit.pop(node.id, None)
        if len(self._removed) < MOST_NOTES:
            self._removed[node.id] = Removal(node.id, node.space.name, reason)
        else:
            self._lost.add(account(node.space.name))

    def changes(self, now: float, locked: Iterable[Node[Any]]) -> Changes:
        """What happened since the last question, as far as an answer holds it; `now` is the tree's time.

        The first after a while without any says so: what was there before it is not told.
        """
        time = self._clock()
        begun = time > self._until
        if begun:
            self._forget()
        self._until = time + WATCH_SECONDS
        removed = [self._removed.pop(number) for number in list(self._removed)[:SLICE]]
        changed = [self._changed.pop(number) for number in list(self._changed)[: SLICE - len(removed)]]
        room = SLICE - len(removed) - len(changed)
        hit = [self._hit.pop(number) for number in list(self._hit)[:room]]
        lost, self._lost = sorted(self._lost), set()
        changed.sort(key=lambda node: node.depth)
        return Changes(
            nodes=[view(node, 0 if node.parent is None else node.parent.id, now) for node in changed],
            touches=_touches(hit, now),
            removals=removed,
            locked=[(node.id, node.space.name) for node in locked],
            lost=lost,
            begun=begun,
            more=bool(self._removed or self._changed or self._hit),
        )

    def tire(self) -> None:
        """Stop listening where nobody has asked for long. To be called now and then by the loop."""
        if self._until and self._clock() > self._until:
            self._forget()
            self._until = 0.0

    def _note(self, notes: dict[int, Node[Any]], node: Node[Any]) -> None:
        if len(notes) < MOST_NOTES:
            notes[node.id] = node
        else:
            self._lost.add(account(node.space.name))

    def _forget(self) -> None:
        self._changed.clear()
        self._hit.clear()
        self._removed.clear()
        self._lost.clear()


def _touches(ends: list[Node[Any]], now: float) -> list[Touch]:
    """Of each node on a path that ends in one of `ends`, once."""
    found: dict[int, Touch] = {}
    for end in ends:
        node = end
        while node.parent is not None and node.id not in found:
            found[node.id] = Touch(node.id, node.space.name, node.hits, now - node.used, node.keep)
            node = node.parent
    return list(found.values())
