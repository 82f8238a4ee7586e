"""Plans for the GPU: whatever the tree, every row attends to each token it sees exactly once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from attention_cases import random_layouts
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.attention.base import SequenceLayout
from radixa.attention.tree_plan import sharing_rule
from radixa.attention.triton.base import HostPlan, Variant
from radixa.attention.triton.items import plan_step
from radixa.attention.triton.tuning import sharing_pays
from radixa.kv.base import Segment


def bins(variant: Variant) -> tuple[int, int]:
    return (5 if variant.small else 0), (3 if variant.wide else 0)


def plan_of(
    layouts: list[SequenceLayout], mode: str = "on", page: int = 0, group: int = 4, ahead: tuple[int, ...] = ()
) -> HostPlan:
    pays = sharing_rule("on" if mode == "on" else "off", sharing_pays)
    return plan_step(layouts, ahead, page, group, bins, pays)


def slots_seen(plan: HostPlan, item: int) -> dict[int, Counter[int]]:
    """By row, the slots that one item's kernel reads for it."""
    first, rows, run, runs, _ = (int(x) for x in plan.items[item])
    seen: dict[int, Counter[int]] = {}
    for row in range(first, first + rows):
        seen[row] = Counter()
        for start, length, position in plan.runs[run : run + runs].tolist():
            for token in range(min(length, int(plan.limits[row]) - position)):
                page = plan.variant.page
                place = start + token
                slot = int(plan.pages[place // page]) * page + place % page if page else place
                seen[row][slot] += 1
    return seen


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sequences=st.integers(1, 14),
    levels=st.integers(0, 5),
    page=st.sampled_from([0, 1, 16]),
    group=st.integers(1, 8),
    mode=st.sampled_from(["on", "off"]),
)
def test_every_row_sees_its_own_context_once(
    seed: int, sequences: int, levels: int, page: int, group: int, mode: str
) -> None:
    layouts = random_layouts(seed, sequences, levels, 300, 24)
    plan = plan_of(layouts, mode, page, group)
    rows = [Counter[int]() for _ in plan.limits]
    for item in range(len(plan.items)):
        for row, seen in slots_seen(plan, item).items():
            rows[row].update(seen)
    row = 0
    for layout in layouts:
        slots = [slot for s in layout.segments for slot in range(s.start, s.start + s.length)]
        for j in range(layout.new):
            assert rows[row] == Counter(slots[: len(slots) - layout.new + 1 + j])
            row += 1
    assert row == len(rows)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), sequences=st.integers(1, 20), mode=st.sampled_from(["on", "off"]))
def test_bins_hold_each_item_once_and_results_have_places_of_their_own(seed: int, sequences: int, mode: str) -> None:
    plan = plan_of(random_layouts(seed, sequences, 4, 400, 24), mode)
    small, _ = bins(plan.variant)
    bounds = plan.bins.tolist()
    kinds = [kind for kind in (bounds[: small + 1] if small else [], bounds[small + 1 if small else 0 :]) if kind]
    held = [item for kind in kinds for low, high in pairwise(kind) for item in range(low, high)]
    assert sorted(held) == list(range(len(plan.items)))
    written = [(row, part + i if part >= 0 else -1) for item in plan.items.tolist() for i, row, part in places(item)]
    parts = [part for _, part in written if part >= 0]
    assert sorted(parts) == list(range(plan.partials))
    direct = [row for row, part in written if part < 0]
    merged = {row: plan.parts[begin : begin + count].tolist() for row, begin, count in plan.merges.tolist()}
    assert sorted(direct + list(merged)) == list(range(len(plan.limits)))
    for row, listed in merged.items():
        assert listed == sorted(part for at, part in written if at == row)


def places(item: list[int]) -> list[tuple[int, int, int]]:
    first, rows, _, _, part = item
    return [(i, first + i, part) for i in range(rows)]


def test_slots_named_ahead_belong_to_the_last_item() -> None:
    layouts = [SequenceLayout(1, [Segment(0, 1000 * i, 700)]) for i in range(2)]
    plan = plan_of(layouts, ahead=(100, 40))
    assert plan.limits.tolist() == [600, 660]
    for row in range(2):
        ends = [plan.runs[run + count - 1] for at, _, run, count, _ in plan.items.tolist() if at == row]
        start, length, position = ends[-1].tolist()
        assert (start + length, position + length) == (1000 * row + 700, 700)


def test_a_long_prompt_is_shared_out_evenly() -> None:
    plan = plan_of([SequenceLayout(4096, [Segment(0, 0, 4096)])])
    assert not plan.variant.small
    work = [
        sum(int(np.minimum(plan.limits[i[0] : i[0] + i[1]].max(), plan.runs[i[2]][1:].sum())) for i in plan.items[a:b])
        for a, b in pairwise(plan.bins)
    ]
    assert max(work) < 1.15 * min(work)


def test_the_kernels_follow_what_there_is_to_do() -> None:
    node = Segment(1, 0, 9000)

    def variant(sequences: int, own: int, new: int = 1, shared: int = 9000) -> Variant:
        segments = [node._replace(length=shared)] if shared else []
        layouts = [SequenceLayout(new, [*segments, Segment(0, 10_000 + i * own, own)]) for i in range(sequences)]
        return plan_of(layouts).variant

    assert variant(4, 500) == Variant(2, 0, 0)
    assert variant(32, 300) == Variant(1, 64, 0)
    assert variant(32, 50) == Variant(1, 128, 0)
    assert variant(32, 5000) == Variant(2, 64, 0)
    assert variant(1, 400, new=400) == Variant(0, 128, 0)
