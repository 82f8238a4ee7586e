"""Retention ranks within a budget and locks nothing (law 3)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.tokens import pack, unpack
from radixa.radix import NOTHING, Keep, Node, Tree, flush
from tests.radix.test_tree import Clock

PIN, DEAR = Keep(pin=True), Keep(priority=True)


def tree_of(budget: int, clock: Clock | None = None) -> Tree[None]:
    return Tree(NOTHING, budget=budget, clock=clock or Clock())


def add(tree: Tree[None], tokens: list[int], keep: Keep | None = None, namespace: str = "") -> Node[None]:
    node = tree.insert(pack(tokens), None, namespace).node
    if keep is not None:
        tree.retain(node, keep)
    tree.check_integrity()
    return node


def left(tree: Tree[None], namespace: str | None = None) -> list[list[int]]:
    return [unpack(view.token_ids) for view in tree.walk(namespace)]


def kept(tree: Tree[None]) -> list[list[int]]:
    return [unpack(view.token_ids) for view in tree.walk() if view.keep]


def test_what_is_retained_goes_last_and_oldest_first() -> None:
    tree = tree_of(100)
    add(tree, [1, 1], PIN)
    add(tree, [2, 2], Keep(ttl=60))
    add(tree, [3, 3], DEAR)
    add(tree, [4, 4])
    order = []
    while tree.tokens:
        before = left(tree)
        tree.evict(1)
        order += [tokens for tokens in before if tokens not in left(tree)]
        tree.check_integrity()
    assert order == [[4, 4], [1, 1], [2, 2], [3, 3]]


def test_the_whole_path_is_retained_and_not_what_hangs_below() -> None:
    tree = tree_of(100)
    add(tree, [1, 2], PIN)
    add(tree, [1, 2, 3])
    add(tree, [9])
    assert kept(tree) == [[1, 2]]
    tree.evict(2)
    assert left(tree) == [[1, 2]]


def test_a_ttl_ends_counted_from_the_last_use() -> None:
    clock = Clock()
    tree = tree_of(100, clock)
    add(tree, [1], Keep(ttl=10))
    clock.now += 8
    tree.match(pack([1]))
    clock.now += 8
    tree.expire()
    assert kept(tree) == [[1]]
    clock.now += 3
    tree.expire()
    tree.check_integrity()
    assert kept(tree) == []
    assert tree.retention.expired == 1


def test_a_longer_wish_and_a_lasting_one_prevail() -> None:
    clock = Clock()
    tree = tree_of(100, clock)
    for keep in (Keep(ttl=10), Keep(ttl=100), Keep(ttl=5)):
        add(tree, [1], keep)
    add(tree, [2], Keep(ttl=10))
    add(tree, [2], DEAR)
    clock.now += 50
    tree.expire()
    assert kept(tree) == [[1], [2]]
    clock.now += 100
    tree.expire()
    assert kept(tree) == [[2]]


def test_over_the_budget_the_oldest_yields_and_the_head_of_a_path_stays() -> None:
    tree = tree_of(4)
    add(tree, [1, 1, 1], PIN)
    add(tree, [2, 2], PIN)
    assert kept(tree) == [[2, 2]]
    assert left(tree) == [[1, 1, 1], [2, 2]]
    tree.insert(pack([3, 3]), None)
    add(tree, [3, 3, 4, 4, 4], PIN)
    assert kept(tree) == [[3, 3]]
    assert tree.retention.yielded == 8


def test_no_account_ends_the_retention_of_another_within_its_share() -> None:
    tree = tree_of(10)
    add(tree, [1, 1, 1], PIN, "mine")
    for token in range(20):
        add(tree, [token, token], PIN, "theirs/salt")
    assert [view.namespace for view in tree.walk() if view.keep].count("mine") == 1
    assert tree.retention.tokens <= 10


def test_split_and_growth_keep_the_retention() -> None:
    tree = tree_of(100)
    node = add(tree, [1, 2, 3, 4], PIN)
    tree.match(pack([1, 2]))
    tree.check_integrity()
    assert kept(tree) == [[1, 2], [3, 4]]
    tree.grow(node, pack([5]), None)
    tree.check_integrity()
    assert tree.retention.tokens == 5


def test_a_cache_full_of_pins_has_room_for_every_request() -> None:
    tree = tree_of(50)
    for token in range(100):
        add(tree, [token] * 5, PIN)
    assert tree.evict(500).tokens == 500
    tree.check_integrity()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "retain", "retain", "match", "evict", "wait", "lock", "unlock", "flush"]),
        st.lists(st.integers(0, 2), min_size=1, max_size=8),
        st.sampled_from([Keep(ttl=1), Keep(ttl=5), PIN, DEAR, Keep(ttl=3, priority=True)]),
        st.sampled_from(["a", "a/b", "c"]),
    ),
    max_size=60,
)


@given(steps=STEPS, budget=st.integers(0, 20))
@settings(max_examples=150, deadline=None)
def test_the_budget_holds_whatever_happens(steps: list[tuple[str, list[int], Keep, str]], budget: int) -> None:
    """Also: what is evicted first is never retained while an unlocked leaf that is not retained could go."""
    clock = Clock()
    tree = tree_of(budget, clock)
    locked: list[Node[None]] = []
    for step, tokens, keep, namespace in steps:
        key = pack(tokens)
        match step:
            case "insert":
                tree.insert(key, None, namespace)
            case "retain":
                tree.retain(tree.insert(key, None, namespace).node, keep)
            case "match":
                tree.match(key, namespace)
            case "evict":
                tree.expire()
                plain = [v for v in tree.walk() if not v.keep and not v.locked]
                leaves = {v.id for v in plain} - {v.parent for v in tree.walk()}
                before = {v.id for v in tree.walk()}
                tree.evict(1)
                gone = before - {v.id for v in tree.walk()}
                assert not leaves or gone <= leaves
            case "wait":
                clock.now += len(tokens)
            case "lock":
                locked.append(tree.match(key, namespace).node)
                tree.lock(locked[-1])
            case "unlock" if locked:
                tree.unlock(locked.pop())
            case "flush":
                flush(tree, namespace)
        tree.check_integrity()
    for node in locked:
        tree.unlock(node)
    tree.evict(10_000)
    assert tree.tokens == tree.retention.tokens == 0
