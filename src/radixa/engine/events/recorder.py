"""The loop's half: it notes what happens to the tree's nodes, in order, and does nothing else.

A note holds only what never changes, numbers and bytes that the tree has anyway, so the thread that reads it needs no
lock, and a note costs a fraction of a microsecond.

Where more notes wait than may, they are dropped, and the tree is told anew: first a note that nothing holds any more,
then every node, a slice at a time, with what happens meanwhile in between. A node is **told** when it has been noted
since; what happens to one that is not told yet is left out, because the walk still comes to it, as it is then. A node
is told after those above it, so the nodes above a told one are told.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix import Listener, Node, Reason

AddedNote = tuple[Literal["added"], int, int, str, bytes]
"""A node's number, that of the node above it (0 for a root), its namespace, its segment."""
GrownNote = tuple[Literal["grown"], int, bytes]
"""A node's number and the tokens it grew by."""
SplitNote = tuple[Literal["split"], int, int, int]
"""The numbers of the upper and of the lower node, and the tokens of the upper."""
RemovedNote = tuple[Literal["removed"], int]
ClearedNote = tuple[Literal["cleared"]]
Note = AddedNote | GrownNote | SplitNote | RemovedNote | ClearedNote

CLEARED: ClearedNote = ("cleared",)


class Recorder(Listener[Any]):
    """Hears one tree, from its first node on. `notes` is read from the left by one other thread."""

    def __init__(self, limit: int) -> None:
        """`limit`: notes that may wait."""
        self.notes: deque[Note] = deque((CLEARED,))
        self.overflows = 0
        self._limit = limit
        self._roots: dict[str, Node[Any]] = {}
        self._told: set[int] | None = None
        """Numbers of the nodes told since an overflow; None while nothing is to be told anew."""
        self._pending: list[Node[Any]] = []
        """Where the telling goes on; each node that is not told has one here below it, above it, or is here."""

    def added(self, node: Node[Any], tokens: int) -> None:
        parent = node.parent
        assert parent is not None
        if parent.parent is None:
            self._roots[node.space.name] = parent
        if len(self.notes) >= self._limit:
            self._start_over()
        segment = node.segment
        if tokens * TOKEN_BYTES == len(segment):
            if self._told is not None and not self._tells(parent, node):
                return
            self.notes.append(("added", node.id, parent.id, node.space.name, segment))
        elif self._told is None or node.id in self._told:
            self.notes.append(("grown", node.id, segment[-tokens * TOKEN_BYTES :]))

    def split(self, upper: Node[Any], lower: Node[Any]) -> None:
        if len(self.notes) >= self._limit:
            self._start_over()
        if self._told is not None:
            if lower.id not in self._told:
                return
            self._told.add(upper.id)
        self.notes.append(("split", upper.id, lower.id, len(upper.segment) // TOKEN_BYTES))

    def removed(self, node: Node[Any], reason: Reason) -> None:
        space = node.space
        if not space.tokens:
            del self._roots[space.name]
        if len(self.notes) >= self._limit:
            self._start_over()
        if self._told is None or node.id in self._told:
            self.notes.append(("removed", node.id))

    @property
    def behind(self) -> bool:
        """Whether there are nodes to tell anew."""
        return self._told is not None

    def catch_up(self, nodes: int) -> None:
        """Go on with up to that many nodes; fewer, or none, while so many notes wait that it might overflow again."""
        told = self._told
        if told is None:
            return
        for _ in range(min(nodes, self._limit // 2 - len(self.notes))):
            if not self._pending:
                break
            self._tell(self._pending.pop(), told)
        if not self._pending:
            self._told = None

    def close(self) -> None:
        """Note nothing any more. For the thread that reads."""
        self.notes = deque(maxlen=0)

    def _start_over(self) -> None:
        self.overflows += 1
        self.notes.clear()
        self.notes.append(CLEARED)
        self._told = set()
        self._pending = [child for root in self._roots.values() for child in root.children.values()]

    def _tells(self, parent: Node[Any], node: Node[Any]) -> bool:
        """Whether a new node can be told now, because what is above it is."""
        assert self._told is not None
        if parent.parent is not None and parent.id not in self._told:
            return False
        self._told.add(node.id)
        return True

    def _tell(self, node: Node[Any], told: set[int]) -> None:
        """Tell `node` and what is above it, as far as that is in the tree and not told; what is below comes later.

        Since it was found, `node` may have been split, or have left where what was cut off its front has not.
        """
        line = []
        above: Node[Any] | None = node
        while above is not None and above.parent is not None and above.id not in told:
            if not above.gone:
                line.append(above)
            above = above.parent
        for member in reversed(line):
            assert member.parent is not None
            self.notes.append(("added", member.id, member.parent.id, member.space.name, member.segment))
            told.add(member.id)
            self._pending += member.children.values()
