"""One running request's hold on the cache."""

from __future__ import annotations

from bisect import bisect_left

from radixa.kv.base import Segment
from radixa.kv.runs import Runs, count
from radixa.radix import Node, Tree


class SlotLease:
    """A locked path of the tree, then slots of its own (`base.Lease`). Only the cache that made it changes one."""

    __slots__ = (
        "_ends",
        "_segments",
        "_splits",
        "_tree",
        "cached",
        "grown",
        "held",
        "namespace",
        "node",
        "own",
        "room",
    )

    def __init__(self, tree: Tree[Runs], namespace: str, node: Node[Runs], tokens: int) -> None:
        self.namespace = namespace
        self.cached = tokens
        self.held = tokens
        self.room = tokens
        self.node = node
        """Where the locked path ends; a root where it is empty."""
        self.grown: Node[Runs] | None = None
        """The node that this lease's last commit made, and that its next one may therefore make longer."""
        self.own: Runs = ()
        """Slots of the tokens from `held` to `room`."""
        self._tree = tree
        self._segments: list[Segment] | None = None
        self._ends: list[int] = []
        self._splits = 0

    @property
    def end(self) -> int | None:
        """The slot after that of the last token with a slot: where more would be contiguous."""
        runs = self.own or (self.node.payload if self.held else ())
        return runs[-1].start + runs[-1].length if runs else None

    def segments(self, tokens: int) -> list[Segment]:
        """Where the first `tokens` tokens lie (`base.Lease.segments`).

        Called every step for every sequence, so all segments up to `room` are kept until the path or the slots change,
        and only the last one is cut to size.
        """
        if not 0 < tokens <= self.room:
            if not tokens:
                return []
            raise ValueError(f"segments of {tokens} tokens wanted of a lease with room for {self.room}")
        segments = self._segments
        if segments is None or self._splits != self._tree.splits:
            segments = self._locate()
        last = bisect_left(self._ends, tokens)
        found = segments[: last + 1]
        surplus = self._ends[last] - tokens
        if surplus:
            owner, start, length = found[last]
            found[last] = Segment(owner, start, length - surplus)
        return found

    def move(self, node: Node[Runs], held: int, own: Runs) -> None:
        """The path now ends in `node` after `held` tokens, and `own` are the slots after that."""
        self.node = node
        self.held = held
        self.own = own
        self.room = held + count(own)
        self._segments = None

    def _locate(self) -> list[Segment]:
        segments = [Segment(node.id, *run) for node in self.node.path() for run in node.payload]
        segments += [Segment(0, *run) for run in self.own]
        end = 0
        self._ends = [end := end + segment.length for segment in segments]
        self._segments = segments
        self._splits = self._tree.splits
        return segments
