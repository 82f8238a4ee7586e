"""From strips to items: the tokens of each strip cut so that every bin has about the same to do.

The strips are laid end to end and cut where a bin is full (as Stream-K does for matrix products: Osama et al. 2023), so
that one long context fills the GPU and many short ones are hardly cut at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from radixa.attention.base import SequenceLayout
from radixa.attention.tree_plan import Pays
from radixa.attention.triton.base import HostPlan, Ints, Variant
from radixa.attention.triton.layout import NARROW
from radixa.attention.triton.strips import Places, Run, Strip, cut_rows, find_blocks
from radixa.attention.triton.tuning import BIG_TILE_FROM, CUT_STEP, FEWEST_TOKENS, ITEM_TOKENS, SLACK, SMALL_ALONE_BELOW


def plan_step(
    layouts: Sequence[SequenceLayout],
    ahead: Sequence[int],
    page: int,
    group: int,
    bins: Callable[[Variant], tuple[int, int]],
    pays: Pays,
    rows: int = 0,
) -> HostPlan:
    """`bins` says how many bins of small and of big tiles a variant has; `rows` is the bucket's, where that is more.

    The arrays of `bins` and `items`: the small tiles' bins come first, the big tiles' items.
    """
    places = Places(page)
    blocks = find_blocks(layouts, ahead, places, pays)
    small = [block for block in blocks if block.rows * group <= NARROW]
    big = [block for block in blocks if block.rows * group > NARROW]
    variant = _variant(small, big, group, page)
    strips = [strip for block in big for strip in cut_rows(block, variant.wide // group)]
    small_bins, big_bins = bins(variant)
    pieces, big_bounds = _cut(strips, big_bins)
    small_pieces, small_bounds = _cut(small, small_bins)
    bounds = np.concatenate([small_bounds + np.int32(len(pieces)), big_bounds])
    pieces += small_pieces
    limits = _limits(layouts, ahead, rows)
    items, merges, parts, partials = _results(pieces, len(limits), sum(layout.new for layout in layouts))
    runs = np.array([run for piece in pieces for run in piece.runs], dtype=np.int32).reshape(-1, 3)
    pages = np.array(places.pages, dtype=np.int32)
    return HostPlan(variant, limits, bounds, items, runs, merges, parts, pages, partials)


def _variant(small: list[Strip], big: list[Strip], group: int, page: int) -> Variant:
    """A big tile of 128 rows does more arithmetic a byte, one of 64 leaves more room for the small tiles beside it."""
    if not big:
        return Variant(2, 0, page)
    read = sum(block.length for block in small)
    work = sum((block.rows * group + 63) // 64 * block.length for block in big)
    fits = max(block.rows for block in big) * group <= 64
    programs = 0 if not small else 2 if work < SMALL_ALONE_BELOW * read else 1
    return Variant(programs, 64 if fits or work <= BIG_TILE_FROM * read else 128, page)


class _Piece(NamedTuple):
    row: int
    rows: int
    runs: list[Run]
    alone: bool
    """Whether it is the whole of its strip."""


def _cut(strips: list[Strip], bins: int) -> tuple[list[_Piece], Ints]:
    """Pieces in the order of bins, and where each bin's begin; nothing for no bins.

    Each bin takes its share of what is left, the beginnings of items counted.
    """
    left = float(sum(strip.length + ITEM_TOKENS for strip in strips))
    bounds = [0] if bins else []
    pieces: list[_Piece] = []
    least = float(FEWEST_TOKENS + ITEM_TOKENS)
    room = max(left / max(bins, 1), least)
    slack = max(CUT_STEP, int(room * SLACK))
    for strip in strips:
        begin = 0
        while begin < strip.length:
            rest = strip.length - begin
            take = rest
            if len(bounds) < bins and room - ITEM_TOKENS < rest - slack:
                take = int(room - ITEM_TOKENS + CUT_STEP / 2) // CUT_STEP * CUT_STEP
            if take < min(rest, slack):
                bounds.append(len(pieces))
                room = max(left / (bins + 1 - len(bounds)), least)
                continue
            pieces.append(_Piece(strip.row, strip.rows, _slice(strip, begin, begin + take), take == strip.length))
            begin += take
            room -= take + ITEM_TOKENS
            # A cut strip pays for beginning an item once more.
            left -= take + (ITEM_TOKENS if begin == strip.length else 0)
    bounds += [len(pieces)] * (bins + 1 - len(bounds)) if bins else []
    return pieces, np.array(bounds, dtype=np.int32)


def _slice(strip: Strip, begin: int, end: int) -> list[Run]:
    """Tokens begin..end of a strip; to the end of its runs, where that is the end of what is there now."""
    if begin == 0 and end == strip.length:
        return strip.runs
    to_the_end = end == strip.length
    found: list[Run] = []
    passed = 0
    for start, length, position in strip.runs:
        low = max(begin - passed, 0)
        high = length if to_the_end else min(end - passed, length)
        if low < high:
            found.append(Run(start + low, high - low, position + low))
        passed += length
    return found


def _limits(layouts: Sequence[SequenceLayout], ahead: Sequence[int], rows: int) -> Ints:
    ends = np.array([layout.context for layout in layouts], dtype=np.int32)
    if ahead:
        ends -= np.array(ahead, dtype=np.int32)
    new = np.array([layout.new for layout in layouts], dtype=np.int32)
    total = int(new.sum())
    limits = np.zeros(max(rows, total), dtype=np.int32)
    # Row j of a sequence sees all but the new - 1 - j tokens after its own.
    limits[:total] = np.arange(total) + 1 + np.repeat(ends - np.cumsum(new), new)
    return limits


def _results(pieces: list[_Piece], rows: int, used: int) -> tuple[Ints, Ints, Ints, int]:
    """Items, merges and their parts: where each piece's result goes, and what is merged into each row."""
    table = np.array([piece[:2] for piece in pieces], dtype=np.int32).reshape(-1, 2)
    first, count = table[:, 0], table[:, 1]
    items = np.empty((len(pieces), 5), dtype=np.int32)
    items[:, :2] = table
    items[:, 3] = [len(piece.runs) for piece in pieces]
    items[:, 2] = np.cumsum(items[:, 3]) - items[:, 3]
    # How many pieces each row has, from where they begin and end.
    change = np.bincount(first, minlength=rows + 1) - np.bincount(first + count, minlength=rows + 1)
    of_row = np.cumsum(change)[:rows]
    direct = np.array([piece.alone for piece in pieces], dtype=bool) & (of_row[first] == 1)
    places = np.where(direct, 0, count)
    partials = int(places.sum())
    items[:, 4] = np.where(direct, -1, np.cumsum(places) - places)
    part_row = np.repeat(first, places) + np.arange(partials) - np.repeat(np.cumsum(places) - places, places)
    parts = np.argsort(part_row, kind="stable").astype(np.int32)
    in_parts = np.bincount(part_row, minlength=rows)
    begin = np.cumsum(in_parts) - in_parts
    merged = np.flatnonzero((in_parts > 0) | (np.arange(rows) >= used))
    merges = np.stack([merged, begin[merged], in_parts[merged]], 1).astype(np.int32)
    return items, merges, parts, partials
