"""A step as FlashInfer takes it: levels of a tree, each a table of pages.

FlashInfer (Ye et al. 2025) knows entries: some rows of queries, and the pages whose tokens they attend to. A level is a
list of entries that holds every row of the step once. The last level, `own`, has an entry a sequence, with what that
sequence attends to alone; level i of `shared` has the i-th shared node on each sequence's path, and an entry without
pages for rows that have no such node. Each level gives every row a result with its log-sum-exp, and these are merged:
that of no token counts for nothing. It is what FlashInfer calls cascade attention, with levels for a tree of any depth.

The pool is handed over as it lies: FlashInfer takes any strides. Pages are of one token, which suits segments that
begin and end anywhere, or of 16, where every segment of every sequence begins with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from radixa.attention.base import SequenceLayout
from radixa.attention.tree_plan import Pays, SharedNode, TreePlan, plan_tree
from radixa.kv.base import Segment

Ints = NDArray[np.int32]


class Table(NamedTuple):
    """One level, int32. Entry e: rows queries[e] to queries[e + 1], and pages[bounds[e]] to pages[bounds[e + 1]]."""

    queries: Ints
    bounds: Ints
    pages: Ints
    last: Ints
    """Tokens of each entry's last page; 0 without pages."""

    @property
    def entries(self) -> int:
        return len(self.last)


@dataclass(frozen=True, slots=True)
class StepTables:
    """A step's levels, those of `shared` root first, and the tokens of a page in all of them."""

    page: int
    own: Table
    shared: list[Table]
    decodes: bool
    """Whether every sequence has one row."""
    prompts: bool
    """Whether every sequence has several."""


def step_tables(
    layouts: Sequence[SequenceLayout], pays: Pays, page: int, ahead: Sequence[int] = (), rows: int = 0
) -> StepTables:
    """`page`: 16, where it can be, or 1. `ahead[i]`: slots at the end of a layout that hold no token yet.

    `rows` is the bucket's, where that is more than the sequences: the rows that are left attend to nothing.
    """
    now = [_without(layout, ahead[i]) for i, layout in enumerate(layouts)] if ahead else list(layouts)
    tree = plan_tree(now, pays)
    starts = list(accumulate((layout.new for layout in now), initial=0))
    total = max(rows, starts[-1])
    contexts = [*(node.segments for node in tree.shared), *tree.own]
    if page > 1 and not _whole_pages(contexts, page):
        page = 1
    padding = total - starts[-1]
    own = _table([*starts, *range(starts[-1] + 1, total + 1)], [*tree.own, *([] for _ in range(padding))], page)
    shared = [_level_table(nodes, starts, total, page) for nodes in _levels(tree, len(now))]
    news = [layout.new for layout in now]
    return StepTables(page, own, shared, max(news, default=1) == 1, min(news, default=1) > 1)


def padded(table: Table, entries: int) -> Table:
    """The table with entries of no rows and no pages at the end, so that it has as many."""
    more = entries - table.entries
    queries, bounds = (
        np.concatenate([ends, np.full(more, ends[-1], np.int32)]) for ends in (table.queries, table.bounds)
    )
    return Table(queries, bounds, table.pages, np.concatenate([table.last, np.zeros(more, np.int32)]))


def _levels(tree: TreePlan, sequences: int) -> list[list[SharedNode]]:
    """The nodes by how many shared ones are above them; a parent comes before its children, so one pass finds it."""
    above = [0] * sequences
    levels: list[list[SharedNode]] = []
    for node in tree.shared:
        depth = above[node.first]
        if depth == len(levels):
            levels.append([])
        levels[depth].append(node)
        above[node.first : node.last] = [depth + 1] * (node.last - node.first)
    return levels


def _level_table(nodes: list[SharedNode], starts: list[int], rows: int, page: int) -> Table:
    queries = [0]
    contexts: list[list[Segment]] = []
    for node in nodes:
        first, last = starts[node.first], starts[node.last]
        if first > queries[-1]:
            queries.append(first)
            contexts.append([])
        queries.append(last)
        contexts.append(node.segments)
    if rows > queries[-1]:
        queries.append(rows)
        contexts.append([])
    return _table(queries, contexts, page)


def _table(queries: list[int], contexts: list[list[Segment]], page: int) -> Table:
    runs = [_runs(context) for context in contexts]
    flat = np.array(list(chain.from_iterable(runs)), dtype=np.int64).reshape(-1, 2)
    first, counts = flat[:, 0] // page, (flat[:, 1] + page - 1) // page
    ends = np.cumsum(counts)
    pages = np.repeat(first - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
    of_run = np.concatenate([[0], ends])
    bounds = of_run[np.cumsum([0, *(len(found) for found in runs)])]
    last = [(found[-1][1] - 1) % page + 1 if found else 0 for found in runs]
    return Table(
        np.array(queries, np.int32), bounds.astype(np.int32), pages.astype(np.int32), np.array(last, dtype=np.int32)
    )


def _runs(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Start and length of each, neighbours in the pool joined."""
    runs: list[tuple[int, int]] = []
    for _, start, length in segments:
        if runs and sum(runs[-1]) == start:
            runs[-1] = runs[-1][0], runs[-1][1] + length
        elif length:
            runs.append((start, length))
    return runs


def _whole_pages(contexts: Sequence[list[Segment]], page: int) -> bool:
    """Whether every run begins with a page, and every one but a context's last ends with one."""
    for context in contexts:
        runs = _runs(context)
        if any(start % page for start, _ in runs) or any(length % page for _, length in runs[:-1]):
            return False
    return True


def _without(layout: SequenceLayout, tokens: int) -> SequenceLayout:
    """A layout less the last `tokens` of its slots."""
    segments = list(layout.segments)
    while tokens:
        last = segments.pop()
        if last.length > tokens:
            segments.append(last._replace(length=last.length - tokens))
        tokens -= min(tokens, last.length)
    return SequenceLayout(layout.new, segments)
