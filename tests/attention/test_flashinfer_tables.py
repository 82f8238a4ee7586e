"""Tables for FlashInfer: whatever the tree, the levels together show every row its own context exactly once."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from attention_cases import random_layouts
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.attention.base import SequenceLayout
from radixa.attention.flashinfer.tables import StepTables, Table, padded, step_tables
from radixa.attention.flashinfer.tuning import sharing_pays
from radixa.attention.graphs import HeadShape
from radixa.attention.select import make_cuda_attention
from radixa.attention.tree_plan import sharing_rule
from radixa.core.errors import ConfigError
from radixa.kv.base import Segment

SHARE = sharing_rule("on", sharing_pays)
FLAT = sharing_rule("off", sharing_pays)


def slots(table: Table, entry: int, page: int) -> list[int]:
    """As FlashInfer's kernels follow a table: whole pages, and the tokens there are of the last one."""
    pages = table.pages[table.bounds[entry] : table.bounds[entry + 1]]
    if not len(pages):
        return []
    tokens = (len(pages) - 1) * page + int(table.last[entry])
    return [int(pages[token // page]) * page + token % page for token in range(tokens)]


def seen_by_row(tables: StepTables, rows: int) -> list[Counter[int]]:
    """The slots each row sees over all levels; in the last level those of a sequence's later rows are left out."""
    seen = [Counter[int]() for _ in range(rows)]
    for table in (*tables.shared, tables.own):
        assert table.queries[0] == 0
        assert table.queries[-1] == rows
        for entry, (first, last) in enumerate(pairwise(table.queries.tolist())):
            context = slots(table, entry, tables.page)
            for row in range(first, last):
                later = last - 1 - row if table is tables.own else 0
                seen[row].update(context[: len(context) - later])
    return seen


def check(tables: StepTables, layouts: list[SequenceLayout], rows: int = 0) -> None:
    expected = [
        Counter(layout_slots(layout)[: layout.context - layout.new + 1 + j])
        for layout in layouts
        for j in range(layout.new)
    ]
    expected += [Counter()] * (rows - len(expected))
    assert seen_by_row(tables, len(expected)) == expected
    for table in (*tables.shared, tables.own):
        assert {array.dtype for array in table} == {np.dtype(np.int32)}
        filled = np.diff(table.bounds) > 0
        assert (table.last[filled] >= 1).all()
        assert (table.last <= tables.page).all()
        assert (table.last[~filled] == 0).all()


def layout_slots(layout: SequenceLayout) -> list[int]:
    return [slot for s in layout.segments for slot in range(s.start, s.start + s.length)]


def in_pages(layouts: list[SequenceLayout], page: int) -> list[SequenceLayout]:
    """The same trees, with every segment stretched to whole pages, but the last of each sequence."""
    return [
        SequenceLayout(
            layout.new,
            [
                Segment(s.owner, s.start * page, s.length * page - (page // 3 if s is layout.segments[-1] else 0))
                for s in layout.segments
            ],
        )
        for layout in layouts
    ]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sequences=st.integers(1, 14),
    levels=st.integers(0, 5),
    page=st.sampled_from([1, 16]),
    share=st.booleans(),
)
def test_every_row_sees_its_own_context_once(seed: int, sequences: int, levels: int, page: int, share: bool) -> None:
    layouts = random_layouts(seed, sequences, levels, 200, 24)
    check(step_tables(layouts, SHARE if share else FLAT, page), layouts)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), sequences=st.integers(1, 9), share=st.booleans())
def test_whole_pages_are_used_where_segments_are_made_of_them(seed: int, sequences: int, share: bool) -> None:
    layouts = in_pages(random_layouts(seed, sequences, 3, 20, 4), 16)
    tables = step_tables(layouts, SHARE if share else FLAT, 16)
    assert tables.page == 16
    check(tables, layouts)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), sequences=st.integers(1, 9), more=st.integers(0, 5))
def test_slots_ahead_and_rows_to_spare_are_left_out(seed: int, sequences: int, more: int) -> None:
    now = random_layouts(seed, sequences, 3, 60, 1)
    ahead = [(seed + 3 * i) % 7 for i in range(sequences)]
    named = [
        SequenceLayout(1, [*layout.segments, Segment(0, 10_000 + 10 * i, ahead[i])]) for i, layout in enumerate(now)
    ]
    check(step_tables(named, SHARE, 1, ahead, sequences + more), now, sequences + more)


def test_a_split_inside_a_page_falls_back_to_single_tokens() -> None:
    node = [Segment(1, 0, 24)]
    layouts = [SequenceLayout(1, [*node, Segment(0, 32 + 16 * i, 5)]) for i in range(2)]
    assert step_tables(layouts, FLAT, 16).page == 1
    # Shared, the node ends a context of its own: its last page need not be full.
    assert step_tables(layouts, SHARE, 16).page == 16
    joined = [SequenceLayout(1, [Segment(1, 0, 24), Segment(0, 24, 5)])]
    assert step_tables(joined, FLAT, 16).page == 16


def test_a_level_has_an_entry_for_rows_without_a_node() -> None:
    shared = [Segment(1, 0, 40)]
    layouts = [
        SequenceLayout(1, [Segment(0, 100, 3)]),
        *(SequenceLayout(1, [*shared, Segment(0, 110 + 5 * i, 4)]) for i in range(3)),
        SequenceLayout(1, [Segment(0, 140, 3)]),
    ]
    level = step_tables(layouts, SHARE, 1).shared[0]
    assert level.queries.tolist() == [0, 1, 4, 5]
    assert level.bounds.tolist() == [0, 0, 40, 40]
    assert level.last.tolist() == [0, 1, 0]
    filled = padded(level, 8)
    assert filled.queries.tolist() == [0, 1, 4, 5, 5, 5, 5, 5, 5]
    assert filled.bounds.tolist() == [0, 0, 40, 40, 40, 40, 40, 40, 40]
    assert filled.last.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_kinds_of_steps() -> None:
    decode, prompt = SequenceLayout(1, [Segment(0, 0, 9)]), SequenceLayout(7, [Segment(0, 20, 9)])
    kinds = [step_tables(step, FLAT, 1) for step in ([decode], [prompt], [decode, prompt], [])]
    assert [(tables.decodes, tables.prompts) for tables in kinds] == [
        (True, False),
        (False, True),
        (False, False),
        (True, False),
    ]


def test_the_config_error_says_what_is_missing() -> None:
    shape = HeadShape(8, 4, 128)
    with pytest.raises(ConfigError, match="none for float32"):
        make_cuda_attention(shape, "auto", "flashinfer", "float32")
    if find_spec("flashinfer") is None:
        with pytest.raises(ConfigError, match=r"flashinfer-python 0\.6\.14 installed"):
            make_cuda_attention(shape, "auto", "flashinfer")
