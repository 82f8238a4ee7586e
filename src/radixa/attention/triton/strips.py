"""From a step's layouts to strips: blocks of rows and the tokens they attend to together.

A block is a shared tree node and its sequences' rows, or one sequence's own tokens and its new ones. A strip is as many
of a block's rows as a tile holds; `items.py` cuts it along the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from radixa.attention.base import SequenceLayout
from radixa.attention.tree_plan import Pays, plan_tree
from radixa.kv.base import Segment


class Run(NamedTuple):
    """Tokens whose places follow one another: `start` is a slot, or a place in the table of pages."""

    start: int
    length: int
    position: int
    """Of the first token, in the context of the rows that attend to it."""


class Strip(NamedTuple):
    """Also a block: a strip of any number of rows."""

    row: int
    rows: int
    runs: list[Run]
    length: int
    """Tokens there now. The runs may go on, with slots that are filled in later steps."""
    new: bool
    """Whether its last tokens are those of its rows, each of which sees the tokens up to its own."""


@dataclass(slots=True)
class Places:
    """Turns segments into runs. With `page` it fills a table of pages in which every segment is found once."""

    page: int
    pages: list[int] = field(default_factory=list)
    _known: dict[Segment, int] = field(default_factory=dict)

    def runs(self, segments: Sequence[Segment], position: int) -> list[Run]:
        """Neighbours joined. A segment may begin and end within a page."""
        found: list[Run] = []
        for segment in segments:
            length = segment.length
            if not length:
                continue
            start = self._place(segment) if self.page else segment.start
            if found and found[-1].start + found[-1].length == start:
                last = found[-1]
                found[-1] = Run(last.start, last.length + length, last.position)
            else:
                found.append(Run(start, length, position))
            position += length
        return found

    def _place(self, segment: Segment) -> int:
        place = self._known.get(segment)
        if place is None:
            page = self.page
            first = segment.start // page
            place = len(self.pages) * page + segment.start % page
            self.pages.extend(range(first, (segment.start + segment.length - 1) // page + 1))
            self._known[segment] = place
        return place


def find_blocks(layouts: Sequence[SequenceLayout], ahead: Sequence[int], places: Places, pays: Pays) -> list[Strip]:
    """The step's blocks, a shared node before the nodes beneath it and these before what sequences have alone."""
    tree = plan_tree(layouts, pays)
    starts = list(accumulate((layout.new for layout in layouts), initial=0))
    blocks: list[Strip] = []
    reached = [0] * len(layouts)
    for node in tree.shared:
        runs = places.runs(node.segments, reached[node.first])
        length = sum(run.length for run in runs)
        blocks.append(Strip(starts[node.first], starts[node.last] - starts[node.first], runs, length, False))
        for i in range(node.first, node.last):
            reached[i] += length
    for i, layout in enumerate(layouts):
        runs = places.runs(tree.own[i], reached[i])
        length = sum(run.length for run in runs) - (ahead[i] if ahead else 0)
        blocks.append(Strip(starts[i], layout.new, runs, length, True))
    return blocks


def cut_rows(block: Strip, most: int) -> list[Strip]:
    """Strips of at most `most` rows.

    Of a prompt's, later rows see more. They are put last beside first, so that any few neighbours cost about the same.
    """
    row, rows, runs, length, new = block
    if rows <= most:
        return [block]
    strips = [
        Strip(row + at, min(most, rows - at), runs, length - max(rows - at - most, 0) * new, new)
        for at in range(0, rows, most)
    ]
    if not new:
        return strips
    half = len(strips) // 2
    pairs = zip(strips[:half], reversed(strips[-half:]), strict=True)
    return [strip for pair in pairs for strip in pair] + strips[half : len(strips) - half]
