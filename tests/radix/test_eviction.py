"""Whatever the policy, the leaf with the smallest key goes first, and a policy is one function."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.errors import ConfigError
from radixa.core.tokens import pack
from radixa.radix import NOTHING, POLICIES, EvictionPolicy, Facts, Node, Tree, flush, lru, policy

POLICY: dict[str, EvictionPolicy] = {
    "least recent": lambda node: node.used,
    "most recent": lambda node: -node.used,
    "least often": lambda node: (node.hits, node.used),
    "most often": lambda node: -node.hits,
    "oldest": lambda node: node.created,
    "longest": lambda node: -node.tokens,
    "shortest": lambda node: node.tokens,
    "any": lambda node: 0,
}

STEP = st.tuples(
    st.sampled_from(["match", "match", "insert", "insert", "evict", "lock", "unlock"]),
    st.sampled_from(["aa", "ab", "aabb", "aabc", "aaca", "b", "bb", "bbaa", "bbab", "c", "ca", "cb", "cbb"]),
)


def nodes(tree: Tree[None]) -> Iterator[Node[None]]:
    pending = [child for space in tree.spaces.values() for child in space.root.children.values()]
    while pending:
        node = pending.pop()
        yield node
        pending += node.children.values()


@pytest.mark.parametrize("name", POLICY)
@given(steps=st.lists(STEP, min_size=8, max_size=60))
@settings(max_examples=80, deadline=None)
def test_the_leaf_with_the_smallest_key_goes_first(name: str, steps: list[tuple[str, str]]) -> None:
    key = POLICY[name]
    tree = Tree(NOTHING, policy=key)
    locked: list[Node[None]] = []
    for step, letters in steps:
        tokens = [ord(letter) for letter in letters]
        if step == "match":
            tree.match(pack(tokens))
        elif step == "insert":
            tree.insert(pack(tokens), None)
        elif step == "lock":
            locked.append(tree.match(pack(tokens)).node)
            tree.lock(locked[-1])
        elif step == "unlock" and locked:
            tree.unlock(locked.pop(len(tokens) % len(locked)))
        elif step == "evict":
            leaves = [node for node in nodes(tree) if not node.locks and not node.children]
            gone = min(leaves, key=lambda node: (key(node), node.id), default=None)
            before = {node.id for node in nodes(tree)}
            tree.evict(1)
            assert before - {node.id for node in nodes(tree)} == ({gone.id} if gone else set())
        tree.check_integrity()


def test_a_parent_that_becomes_a_leaf_takes_its_place_in_the_order() -> None:
    tree = Tree(NOTHING)
    tree.insert(pack([1, 2]), None)
    tree.insert(pack([3]), None)
    tree.match(pack([1]))  # splits: the rest, which is now a leaf of its own, is as new as its parent
    tree.insert(pack([4]), None)
    order = []
    while tree.tokens:
        before = {view.token_ids for view in tree.walk()}
        tree.evict(1)
        order += before - {view.token_ids for view in tree.walk()}
    assert order == [pack([3]), pack([2]), pack([1]), pack([4])]


def test_whole_leaves_go_and_so_up_to_one_leaf_more_than_asked() -> None:
    tree = Tree(NOTHING)
    tree.insert(pack(range(10)), None)
    tree.insert(pack(range(20, 30)), None)
    assert tree.evict(0).tokens == 0
    assert tree.evict(3).tokens == 10
    assert tree.evict(11).tokens == 10


def test_the_queue_does_not_grow_with_use() -> None:
    """Touching keeps one entry a leaf, and what has left the tree leaves the queue at a flush."""
    tree = Tree(NOTHING)
    for token in range(10):
        tree.insert(pack([token]), None)
    for _ in range(20):
        for token in range(10):
            tree.match(pack([token]))
    assert len(tree._order._plain._heap) == 10
    flush(tree)
    assert not tree._order._plain._heap


def test_the_queue_does_not_grow_where_keys_fall() -> None:
    tree = Tree(NOTHING, policy=lambda node: -node.used)
    tree.insert(pack([1]), None)
    for _ in range(5_000):
        tree.match(pack([1]))
    assert len(tree._order._plain._heap) < 200


def test_an_eviction_does_not_pay_for_every_touch_before_it() -> None:
    """Each touch puts one entry right, so what an eviction has left to do does not grow with their number."""
    looked_at = 0

    def used(node: Facts) -> float:
        nonlocal looked_at
        looked_at += 1
        return node.used

    tree = Tree(NOTHING, policy=used)
    for token in range(1_000):
        tree.insert(pack([token]), None)
    for _ in range(3):
        for token in range(1_000):
            tree.match(pack([token]))
    looked_at = 0
    tree.evict(1)
    assert looked_at < 10


def test_policies_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy("lru") is lru
    assert policy("arc") is not policy("arc")
    with pytest.raises(ConfigError, match=r"'no such'.*there are arc, default, lru"):
        policy("no such")

    def mine(node: Facts) -> int:
        return node.tokens

    monkeypatch.setitem(POLICIES, "mine", lambda: mine)
    assert policy("mine") is mine
