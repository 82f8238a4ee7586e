"""What viewers are told: applied in order, it gives the tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from radixa.core.tokens import pack
from radixa.engine import watching
from radixa.engine.base import Changes
from radixa.engine.watching import WATCH_SECONDS, Watching
from radixa.kv.radix_cache import RadixCache
from radixa.radix import NOTHING, Keep, Tree, flush, set_keep


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock) -> tuple[Watching, Tree[None]]:
    heard = Watching(clock)
    return heard, Tree(NOTHING, budget=50, listeners=(heard,), clock=clock)


def apply(copy: dict[int, Any], changes: Changes) -> None:
    for removal in changes.removals:
        copy.pop(removal.id, None)
    for node in changes.nodes:
        assert node.parent == 0 or node.parent in copy, "a node is told after the one above it"
        copy[node.id] = [node.parent, node.namespace, node.token_ids, node.hits, node.keep]
    for touch in changes.touches:
        copy[touch.id][3:] = [touch.hits, touch.keep]


def whole(tree: Tree[None]) -> dict[int, Any]:
    return {node.id: [node.parent, node.namespace, node.token_ids, node.hits, node.keep] for node in tree.walk()}


PATHS = st.lists(st.integers(1, 3), min_size=1, max_size=6)
STEPS = st.one_of(
    st.tuples(st.just("insert"), PATHS, st.sampled_from(["a", "b"])),
    st.tuples(st.just("match"), PATHS, st.sampled_from(["a", "b"])),
    st.tuples(st.just("keep"), PATHS, st.sampled_from([None, Keep(pin=True), Keep(ttl=20.0)])),
    st.tuples(st.just("evict"), st.integers(1, 4), st.none()),
    st.tuples(st.just("flush"), st.none(), st.sampled_from(["a", None])),
    st.tuples(st.just("ask"), st.none(), st.none()),
)


@given(st.lists(STEPS, max_size=40), st.integers(1, 5))
def test_what_is_told_gives_the_tree(steps: list[tuple[str, Any, Any]], piece: int) -> None:
    clock = Clock()
    heard, tree = made(clock)
    tree.insert(pack([1, 2, 3]), None, "a")
    assert heard.changes(tree.now(), ()).begun
    copy = whole(tree)
    for kind, what, where in steps:
        clock.now += 1.0
        match kind:
            case "insert":
                tree.insert(pack(what), None, where)
            case "match":
                tree.match(pack(what), where)
            case "keep":
                set_keep(tree, tree.insert(pack(what), None, "a").node, where)
            case "evict":
                tree.evict(what)
            case "flush":
                flush(tree, where)
            case _:
                apply(copy, heard.changes(tree.now(), ()))
        # A client that asks now and then keeps the watch up.
        heard._until = max(heard._until, clock.now + WATCH_SECONDS)
    while True:
        changes = heard.changes(tree.now(), ())
        assert not changes.begun
        apply(copy, changes)
        if not changes.more:
            break
    assert copy == whole(tree)


def test_nothing_is_noted_while_nobody_asks() -> None:
    clock = Clock()
    heard, tree = made(clock)
    tree.insert(pack([1, 2]), None)
    assert heard.changes(tree.now(), ()).nodes == []
    tree.insert(pack([1, 3]), None)
    clock.now += WATCH_SECONDS + 1
    heard.tire()
    tree.insert(pack([1, 4]), None)
    changes = heard.changes(tree.now(), ())
    assert changes.begun
    assert (changes.nodes, changes.touches, changes.removals) == ([], [], [])


def test_answers_are_bounded_and_go_on(monkeypatch: Any) -> None:
    monkeypatch.setattr(watching, "SLICE", 3)
    clock = Clock()
    heard, tree = made(clock)
    heard.changes(tree.now(), ())
    for token in range(5):
        tree.insert(pack([token]), None)
    first, second = heard.changes(tree.now(), ()), heard.changes(tree.now(), ())
    assert (len(first.nodes), first.more, len(second.nodes), second.more) == (3, True, 2, False)


def test_where_too_much_happens_its_owners_are_named(monkeypatch: Any) -> None:
    monkeypatch.setattr(watching, "MOST_NOTES", 2)
    heard, tree = made(Clock())
    heard.changes(tree.now(), ())
    for token in range(2):
        tree.insert(pack([token]), None, "quiet")
    tree.insert(pack([1]), None, "loud/salt")
    assert heard.changes(tree.now(), ()).lost == ["loud"]
    assert heard.changes(tree.now(), ()).lost == []


def test_running_requests_are_told_by_where_they_end() -> None:
    heard = Watching()
    cache = RadixCache(100, listeners=(heard,))
    lease = cache.bare("a")
    cache.extend(lease, 4)
    cache.commit(lease, pack([1, 2, 3]))
    told = heard.changes(0.0, cache.locked())
    ((number, namespace),) = told.locked
    assert namespace == "a"
    assert [node.id for node in cache.walk()] == [number]
    cache.release(lease)
    assert heard.changes(0.0, cache.locked()).locked == []
