"""Who shares what."""

from __future__ import annotations

import random

import pytest
from attention_cases import random_layouts

from radixa.attention import native_backend, torch_backend
from radixa.attention.base import SequenceLayout
from radixa.attention.tree_plan import Pays, SharedNode, long_enough, plan_tree, sharing_rule
from radixa.kv.base import Segment

ON = sharing_rule("on", torch_backend.sharing_pays)


def a_sequence(*segments: Segment, new: int = 1) -> SequenceLayout:
    return SequenceLayout(new, list(segments))


def test_nothing_in_common_shares_nothing() -> None:
    layouts = [a_sequence(Segment(1, 0, 10), Segment(0, 10, 1)), a_sequence(Segment(2, 20, 10), Segment(0, 30, 1))]
    plan = plan_tree(layouts, ON)
    assert plan.shared == []
    assert plan.own == [layout.segments for layout in layouts]


def test_two_levels() -> None:
    root, left, right = Segment(1, 0, 100), Segment(2, 100, 50), Segment(3, 150, 50)
    tails = [Segment(0, 300 + 10 * i, 2) for i in range(5)]
    layouts = [
        a_sequence(root, left, tails[0]),
        a_sequence(root, left, tails[1]),
        a_sequence(root, tails[2]),
        a_sequence(root, right, tails[3]),
        a_sequence(root, right, tails[4]),
    ]
    plan = plan_tree(layouts, ON)
    assert plan.shared == [SharedNode(0, 5, [root]), SharedNode(0, 2, [left]), SharedNode(3, 5, [right])]
    assert plan.own == [[tail] for tail in tails]


def test_a_chain_of_nodes_with_the_same_sequences_is_one() -> None:
    chain = [Segment(1, 0, 10), Segment(1, 20, 5), Segment(2, 50, 7)]
    layouts = [a_sequence(*chain, Segment(0, 100 + 10 * i, 2)) for i in range(3)]
    assert plan_tree(layouts, ON).shared == [SharedNode(0, 3, chain)]


def test_a_node_that_does_not_pay_goes_to_its_subgroups() -> None:
    root, left, right = Segment(1, 0, 10), Segment(2, 100, 500), Segment(3, 700, 5)
    layouts = [
        a_sequence(root, left, Segment(0, 1000, 2)),
        a_sequence(root, left, Segment(0, 1010, 2)),
        a_sequence(root, right, Segment(0, 1020, 2)),
        a_sequence(root, right, Segment(0, 1030, 2)),
    ]
    plan = plan_tree(layouts, lambda length, sequences: length >= 100)
    assert plan.shared == [SharedNode(0, 2, [root, left])]
    assert plan.own[0] == [Segment(0, 1000, 2)]
    assert plan.own[3] == [root, right, Segment(0, 1030, 2)]


def test_own_slots_are_never_shared() -> None:
    same = Segment(0, 0, 10)
    assert plan_tree([a_sequence(same), a_sequence(same)], ON).shared == []


def test_new_tokens_are_never_shared() -> None:
    """A node that holds some of a sequence's new tokens is causal for it, so it is left to the sequence alone."""
    node, tail = Segment(1, 0, 10), Segment(2, 10, 4)
    layouts = [a_sequence(node, tail, new=6), a_sequence(node, tail, Segment(0, 30, 1))]
    assert plan_tree(layouts, ON).shared == []
    layouts[0] = a_sequence(node, tail, new=4)
    assert plan_tree(layouts, ON).shared == [SharedNode(0, 2, [node])]


@pytest.mark.parametrize("seed", range(60))
def test_every_sequence_keeps_its_whole_context(seed: int) -> None:
    """Whatever the rule says, a sequence's shared nodes and its own segments are its segments, in order."""
    rng = random.Random(seed)
    layouts = random_layouts(seed, rng.randint(1, 64), rng.randint(0, 5), 40, 10)
    plan = plan_tree(layouts, lambda length, sequences: rng.random() < 0.5)
    found: list[list[Segment]] = [[] for _ in layouts]
    for node in plan.shared:
        assert node.last - node.first > 1
        for i in range(node.first, node.last):
            found[i] += node.segments
    for i, own in enumerate(plan.own):
        assert found[i] + own == layouts[i].segments
        assert sum(s.length for s in own) >= layouts[i].new


def test_modes() -> None:
    on, off, auto = (sharing_rule(mode, lambda length, sequences: length > 100) for mode in ("on", "off", "auto"))
    assert on(1, 2)
    assert not off(100_000, 64)
    assert [auto(100, 64), auto(101, 2)] == [False, True]


@pytest.mark.parametrize("pays", [torch_backend.sharing_pays, native_backend.sharing_pays])
def test_measured_rules_share_what_is_long_and_wide_and_nothing_small(pays: Pays) -> None:
    assert pays(4096, 96)
    assert pays(512, 48)
    assert not pays(16, 96)
    assert not pays(50, 2)
    assert not pays(1, 1000)


def test_native_rule_leaves_no_tile_half_empty() -> None:
    """18 queries need two vectors, and cost more together than apart however long the node is."""
    assert native_backend.sharing_pays(4096, 15)
    assert not native_backend.sharing_pays(100_000, 18)
    assert native_backend.sharing_pays(4096, 28)


@pytest.mark.parametrize("queries", [1, 2, 3, 4, 15, 16, 17, 127, 512])
def test_no_node_is_shared_below_the_length_of_its_queries(queries: int) -> None:
    table = ((2, 1024), (4, 512), (16, 256), (17, 1024), (128, 128))
    least = [tokens for rows, tokens in table if queries >= rows]
    assert long_enough(table, 100_000, queries) == bool(least)
    if least:
        assert not long_enough(table, least[-1] - 1, queries)
        assert long_enough(table, least[-1], queries)
