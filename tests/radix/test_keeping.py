"""Retention set from outside: a node keeps what was asked for it, and what those below it need."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from radixa.core.tokens import pack
from radixa.radix import NOTHING, Keep, Listener, Node, Tree, finding, set_keep

PIN, HOUR = Keep(pin=True), Keep(ttl=3600.0)


class Heard(Listener[None]):
    def __init__(self) -> None:
        self.kept_nodes: list[int] = []

    def kept(self, node: Node[None]) -> None:
        self.kept_nodes.append(node.id)


def grown(budget: int = 1_000) -> tuple[Tree[None], Node[None], Node[None], Node[None]]:
    """A trunk with two branches."""
    tree: Tree[None] = Tree(NOTHING, budget=budget)
    left = tree.insert(pack([1, 2, 3]), None).node
    right = tree.insert(pack([1, 2, 4]), None).node
    assert left.parent is not None
    return tree, left.parent, left, right


def test_a_pin_takes_the_path_along_and_leaves_with_it() -> None:
    tree, trunk, left, right = grown()
    set_keep(tree, left, PIN)
    assert (trunk.keep, left.keep, right.keep) == (PIN, PIN, None)
    set_keep(tree, left, None)
    assert (trunk.keep, left.keep) == (None, None)
    assert tree.retention.tokens == 0
    tree.check_integrity()


def test_what_another_path_needs_stays() -> None:
    tree, trunk, left, right = grown()
    set_keep(tree, left, PIN)
    set_keep(tree, right, HOUR)
    assert trunk.keep == Keep(3600.0, pin=True)
    set_keep(tree, left, None)
    assert (trunk.keep, left.keep, right.keep) == (HOUR, None, HOUR)
    # It was granted nothing itself, so nothing can be taken from it.
    set_keep(tree, trunk, None)
    assert trunk.keep == HOUR
    set_keep(tree, right, None)
    assert trunk.keep is None
    tree.check_integrity()


def test_what_was_granted_above_stays() -> None:
    tree, trunk, left, _ = grown()
    set_keep(tree, trunk, PIN)
    set_keep(tree, left, HOUR)
    set_keep(tree, left, None)
    # What it took over from below it stays with it: it is as one wish with its own.
    assert (trunk.keep, left.keep) == (Keep(3600.0, pin=True), None)
    tree.check_integrity()


def test_the_budget_holds() -> None:
    tree, _, left, _ = grown(budget=1)
    set_keep(tree, left, PIN)
    assert tree.retention.tokens <= 1
    assert not left.granted
    tree.check_integrity()


def test_it_is_heard() -> None:
    heard = Heard()
    tree: Tree[None] = Tree(NOTHING, budget=10, listeners=(heard,))
    node = tree.insert(pack([1]), None).node
    set_keep(tree, node, PIN)
    set_keep(tree, node, None)
    assert heard.kept_nodes == [node.id, node.id]


KEEPS = st.sampled_from([None, PIN, HOUR, Keep(ttl=10.0), Keep(priority=True)])
PATHS = st.lists(st.integers(1, 3), min_size=1, max_size=5)


@given(st.lists(st.tuples(PATHS, KEEPS), min_size=1, max_size=20), st.integers(0, 30))
def test_the_tree_is_sound_whatever_is_set(steps: list[tuple[list[int], Keep | None]], budget: int) -> None:
    now = [0.0]
    tree: Tree[None] = Tree(NOTHING, budget=budget, clock=lambda: now[0])
    for path, keep in steps:
        now[0] += 3.0
        set_keep(tree, tree.insert(pack(path), None).node, keep)
        tree.expire()
        tree.check_integrity()


@given(st.lists(PATHS, min_size=1, max_size=20))
def test_every_node_is_found_by_its_number_and_no_other(paths: list[list[int]]) -> None:
    tree: Tree[None] = Tree(NOTHING)
    for path in paths:
        tree.insert(pack(path), None)
    for shown in tree.walk():
        found: list[Any] = [node for node in finding(tree.roots(), shown.id) if node is not None]
        assert [node.id for node in found] == [shown.id]
    assert [node for node in finding(tree.roots(), 10_000) if node is not None] == []


def test_a_node_that_is_cut_during_the_search_is_found_with_its_front() -> None:
    tree: Tree[None] = Tree(NOTHING)
    tree.insert(pack([1, 2, 3]), None)
    tree.insert(pack([9]), None)
    (lower,) = (node for node in tree.roots()[0].children.values() if node.tokens == 3)
    upper_id = tree.nodes + 1
    search = finding(tree.roots(), upper_id)
    assert next(search) is None
    upper = tree.split(lower, 4)
    assert upper.id == upper_id
    assert [node for node in search if node is not None] == [upper]
