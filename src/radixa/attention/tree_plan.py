"""Which sequences attend to which slots together.

Sequences of a step are the leaves of a small tree: those whose segments begin alike share a node. Attending to a shared
node once for all of its sequences turns many matrix-vector products into one matrix product and reads its K and V once
(cascade attention in FlashInfer, Ye et al. 2024; Hydragen, Juravsky et al. 2024; ChunkAttention, Ye et al. 2024; DeFT,
Yao et al. 2025). Nodes of any depth are found: a group's inner nodes are shared by its subgroups in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.kv.base import Segment

Pays = Callable[[int, int], bool]
"""`pays(length, sequences)`: are that many sequences faster attending to a node of that many tokens together?"""


LengthsByQueries = tuple[tuple[int, int], ...]
"""(queries of a kv head, over all sequences, and tokens): from so many on, a node of at least that many is shared."""


@dataclass(frozen=True, slots=True)
class SharedNode:
    """Slots that sequences `first` to `last` (exclusive) attend to together: one or more nodes of their path."""

    first: int
    last: int
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class TreePlan:
    """Shared nodes, a parent before its children, and what each sequence then attends to alone, in order."""

    shared: list[SharedNode]
    own: list[list[Segment]]


def sharing_rule(mode: TreeMode, measured: Pays) -> Pays:
    """The rule of a mode: `on` shares wherever two sequences meet, `off` never, `auto` where it was measured to pay."""
    return measured if mode == "auto" else lambda length, sequences: mode == "on"


def long_enough(table: LengthsByQueries, length: int, queries: int) -> bool:
    """Whether `queries` query rows of a kv head attend to a node of `length` tokens faster together, by that table."""
    least = 0
    for rows, tokens in table:
        if queries >= rows:
            least = tokens
    return 0 < least <= length


def plan_tree(layouts: Sequence[SequenceLayout], pays: Pays) -> TreePlan:
    """Group neighbouring sequences by the segments their contexts begin with.

    A node that does not pay for its group is handed down: each subgroup asks again, with the node's tokens added to its
    own, and in the end each sequence attends to it alone.
    """
    meets = [_common(left, right) for left, right in pairwise(layouts)]
    if not any(meets):
        return TreePlan([], [layout.segments for layout in layouts])
    shared: list[SharedNode] = []
    own: list[list[Segment]] = [[] for _ in layouts]

    def descend(first: int, last: int, depth: int, waiting: list[Segment]) -> None:
        """Sequences first..last begin with the same `depth` segments, of which `waiting` are not attended to yet."""
        if last - first == 1:
            own[first] = waiting + layouts[first].segments[depth:]
            return
        below = min(meets[first : last - 1])
        if below > depth:
            waiting = waiting + layouts[first].segments[depth:below]
            if pays(sum(segment.length for segment in waiting), last - first):
                shared.append(SharedNode(first, last, waiting))
                waiting = []
        start = first
        for i in range(first, last):
            if i == last - 1 or meets[i] == below:
                descend(start, i + 1, below, waiting)
                start = i + 1

    descend(0, len(layouts), 0, [])
    return TreePlan(shared, own)


def _common(left: SequenceLayout, right: SequenceLayout) -> int:
    """Leading segments two sequences have in common: the same slots of the same node, and cached for both."""
    count = 0
    for a, b in zip(left.segments, right.segments, strict=False):
        if a != b or a.owner == 0:
            break
        count += 1
    while count and not (_is_cached(left, count) and _is_cached(right, count)):
        count -= 1
    return count


def _is_cached(layout: SequenceLayout, count: int) -> bool:
    """Do the first `count` segments hold none of the step's new tokens?"""
    if layout.new == 1:
        return count < len(layout.segments)
    return sum(segment.length for segment in layout.segments[count:]) >= layout.new
