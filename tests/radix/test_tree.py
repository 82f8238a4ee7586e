"""What the naive model does not cover: times, ids, growth, walks, bounds and misuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.tokens import pack
from radixa.radix import NOTHING, NodeView, Tree, flush
from radixa.radix.compare import shared_bytes
from tests.radix.payloads import STAMPS


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def paths(tree: Tree[None], namespace: str | None = None) -> list[bytes]:
    """The segments of a walk."""
    return [view.token_ids for view in tree.walk(namespace)]


# ---- times


def test_a_match_gives_its_path_and_the_unmatched_rest_of_a_split_node_the_new_time() -> None:
    clock = Clock()
    tree = Tree(NOTHING, clock=clock)
    tree.insert(pack([1, 2, 3, 4]), None)
    tree.insert(pack([9]), None)
    clock.now += 10
    tree.match(pack([1, 2, 7]))
    ages = {view.token_ids: view.last_use for view in tree.walk()}
    assert ages == {pack([1, 2]): 0, pack([3, 4]): 0, pack([9]): pytest.approx(10)}


def test_an_insert_touches_its_path_too() -> None:
    clock = Clock()
    tree = Tree(NOTHING, clock=clock)
    tree.insert(pack([1, 2]), None)
    clock.now += 10
    tree.insert(pack([1, 2, 3]), None)
    assert [view.last_use for view in tree.walk()] == [0, 0]


def test_a_peek_touches_nothing() -> None:
    clock = Clock()
    tree = Tree(NOTHING, clock=clock)
    tree.insert(pack([1, 2, 3]), None)
    before = list(tree.walk())
    clock.now += 10
    assert tree.peek(pack([1, 2, 9])) == 2
    after = list(tree.walk())
    assert [(v.id, v.token_ids, v.hits) for v in after] == [(v.id, v.token_ids, v.hits) for v in before]
    assert after[0].last_use == pytest.approx(10)


def test_operations_are_in_order_where_the_clock_stands_still_or_goes_back() -> None:
    clock = Clock()
    tree = Tree(STAMPS, clock=clock)
    for token in range(5):
        tree.insert(pack([token]), (token,))
        clock.now -= 1
    tree.match(pack([0]))
    assert [payload for (payload,) in tree.evict(5).payloads] == [1, 2, 3, 4, 0]


def test_a_split_keeps_the_time_of_creation_and_the_hits() -> None:
    clock = Clock()
    tree = Tree(NOTHING, clock=clock)
    tree.insert(pack([1, 2, 3, 4]), None)
    tree.match(pack([1, 2, 3, 4]))
    clock.now += 10
    tree.match(pack([1, 2]))
    assert [(view.created, view.hits) for view in tree.walk()] == [(pytest.approx(10), 2), (pytest.approx(10), 1)]


# ---- nodes


def test_a_split_leaves_the_lower_part_its_identity() -> None:
    tree = Tree(NOTHING)
    node = tree.insert(pack([1, 2, 3]), None).node
    number = node.id
    upper = tree.match(pack([1])).node
    assert (node.id, node.segment, node.parent) == (number, pack([2, 3]), upper)
    assert upper.id not in (0, number)


def test_the_root_of_a_namespace_goes_with_its_last_node_and_a_match_makes_none() -> None:
    tree = Tree(NOTHING)
    tree.match(pack([1]), "never")
    assert tree.match(pack([1]), "never").tokens == 0
    tree.insert(b"", None, "empty")
    tree.insert(pack([1]), None, "some")
    assert list(tree.spaces) == ["some"]
    tree.evict(1)
    assert not tree.spaces
    tree.check_integrity()


def test_version_changes_with_the_structure_and_only_then() -> None:
    tree = Tree(NOTHING)
    versions = [tree.version]

    def changed() -> bool:
        versions.append(tree.version)
        return versions[-1] != versions[-2]

    node = tree.insert(pack([1, 2, 3]), None).node
    assert changed()
    tree.insert(pack([1, 2, 3]), None)
    tree.match(pack([1, 2, 3]))
    tree.lock(node)
    tree.unlock(node)
    assert not changed()
    splits = tree.splits
    tree.match(pack([1]))
    assert changed()
    assert tree.splits != splits
    tree.grow(node, pack([4]), None)
    assert changed()
    tree.evict(1)
    assert changed()
    flush(tree)
    assert changed()


def test_growing_is_as_inserting_at_once() -> None:
    clock = Clock()
    grown, whole = Tree(STAMPS, clock=clock), Tree(STAMPS, clock=clock)
    for tree in (grown, whole):
        tree.insert(pack([1, 2]), (0, 1))
    node = grown.insert(pack([1, 2, 3]), (0, 1, 2)).node
    grown.lock(node)
    grown.grow(node, pack([4, 5]), (3, 4))
    grown.check_integrity()
    assert grown.evictable == 0
    grown.unlock(node)
    whole.insert(pack([1, 2, 3, 4, 5]), (0, 1, 2, 3, 4))

    def plain(view: NodeView) -> tuple[bytes, int, int]:
        return view.token_ids, view.depth, view.hits

    assert [plain(view) for view in grown.walk()] == [plain(view) for view in whole.walk()]
    assert grown.evict(9) == whole.evict(9)
    grown.check_integrity()


def test_only_a_leaf_of_the_tree_grows_and_by_whole_pages() -> None:
    tree = Tree(NOTHING, page_size=2)
    inner = tree.insert(pack([1, 2]), None).node
    leaf = tree.insert(pack([1, 2, 3, 4]), None).node
    with pytest.raises(ValueError, match="only a leaf"):
        tree.grow(inner, pack([5, 6]), None)
    with pytest.raises(ValueError, match="whole pages"):
        tree.grow(leaf, pack([5]), None)
    flush(tree)
    with pytest.raises(ValueError, match="only a leaf"):
        tree.grow(leaf, pack([5, 6]), None)


def test_a_segment_is_no_longer_than_allowed_and_goes_piece_by_piece() -> None:
    tree = Tree(STAMPS, page_size=2, max_segment=4)
    tree.insert(pack(range(11)), tuple(range(10)))
    assert [view.token_ids for view in tree.walk()] == [pack(range(4)), pack(range(4, 8)), pack([8, 9])]
    tree.check_integrity()
    assert tree.evict(3).payloads == [(8, 9), (4, 5, 6, 7)]
    assert tree.match(pack(range(11))).tokens == 4


# ---- walks


def test_a_walk_is_depth_first_and_of_a_namespace() -> None:
    tree = Tree(NOTHING, clock=Clock())
    for namespace, key in [("a", [1, 2]), ("a", [1, 3]), ("a/x", [4]), ("ab", [5])]:
        tree.insert(pack(key), None, namespace)
    views = list(tree.walk())
    assert [(v.namespace, v.token_ids, v.depth) for v in views] == [
        ("a", pack([1]), 0),
        ("a", pack([2]), 1),
        ("a", pack([3]), 1),
        ("a/x", pack([4]), 0),
        ("ab", pack([5]), 0),
    ]
    assert [v.parent for v in views] == [0, views[0].id, views[0].id, 0, 0]
    assert paths(tree, "a") == [pack([1]), pack([2]), pack([3]), pack([4])]
    assert not list(tree.walk("nobody"))
    assert not any(v.locked for v in views)
    tree.lock(tree.match(pack([1, 2]), "a").node)
    assert [v.locked for v in tree.walk("a")] == [True, True, False, False]


# ---- misuse and integrity


def test_what_cannot_be_says_so() -> None:
    with pytest.raises(ValueError, match="page_size is 0"):
        Tree(NOTHING, page_size=0)
    with pytest.raises(ValueError, match="multiple of the page size, 4"):
        Tree(NOTHING, page_size=4, max_segment=6)
    tree = Tree(NOTHING)
    node = tree.insert(pack([1, 2]), None).node
    with pytest.raises(ValueError, match="only the first 2 tokens"):
        tree.insert(pack([1, 2, 3, 4]), None, start=3)
    with pytest.raises(ValueError, match="only the first 0 tokens"):
        tree.insert(pack([1, 2]), None, "new", start=1)
    with pytest.raises(ValueError, match="not locked"):
        tree.unlock(node)
    tree.check_integrity()


BREAK: list[Callable[[Tree[None]], None]] = [
    lambda tree: setattr(tree, "tokens", 7),
    lambda tree: setattr(tree, "evictable", 0),
    lambda tree: setattr(tree, "nodes", 9),
    lambda tree: setattr(tree.spaces[""], "tokens", 1),
    lambda tree: setattr(tree.match(pack([1, 2])).node, "segment", pack([9])),
    lambda tree: setattr(tree.match(pack([1, 2])).node, "locks", 1),
    lambda tree: setattr(tree.match(pack([1, 2])).node, "parent", None),
    lambda tree: setattr(tree.match(pack([1, 2])).node, "queued", None),
    lambda tree: setattr(tree.match(pack([1, 2])).node, "id", tree.match(pack([1, 3])).node.id),
    lambda tree: setattr(tree.match(pack([1, 2])).node, "used", 1e18),
]


@pytest.mark.parametrize("harm", BREAK)
def test_integrity_notices(harm: Callable[[Tree[None]], None]) -> None:
    tree = Tree(NOTHING)
    tree.insert(pack([1, 2]), None)
    tree.insert(pack([1, 3]), None)
    tree.check_integrity()
    harm(tree)
    with pytest.raises(AssertionError):
        tree.check_integrity()


# ---- comparing


@given(st.lists(st.integers(0, 1), max_size=300), st.integers(0, 300), st.integers(0, 5), st.integers(0, 300))
def test_shared_bytes_is_what_a_loop_finds(segment: list[int], differs: int, before: int, end: int) -> None:
    key = [7] * before + [token if at != differs else 2 for at, token in enumerate(segment)] + [8]
    end = min(before + end, len(key))
    shared = 0
    while shared < len(segment) and before + shared < end and segment[shared] == key[before + shared]:
        shared += 1
    assert shared_bytes(pack(segment), pack(key), 4 * before, 4 * end) == 4 * shared
