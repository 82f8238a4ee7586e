"""Listeners hear everything; walks and removals go on while the tree changes; spans cut; traces touch nothing."""

from __future__ import annotations

import random
from itertools import islice

from radixa.core.tokens import pack, unpack
from radixa.radix import NOTHING, Listener, Node, Origin, Reason, Span, Tree, flush, removing
from tests.radix.test_tree import Clock


class Mirror(Listener[None]):
    """Rebuilds every node's path from what it hears."""

    def __init__(self) -> None:
        self.paths: dict[int, tuple[str, bytes, bytes]] = {}
        self.hits: list[int] = []
        self.reasons: list[Reason] = []

    def added(self, node: Node[None], tokens: int) -> None:
        if tokens < node.tokens:
            assert len(self.paths[node.id][2]) // 4 == node.tokens - tokens
        self.paths[node.id] = (node.space.name, node.key()[: node.depth * 4], node.segment)

    def split(self, upper: Node[None], lower: Node[None]) -> None:
        space, above, segment = self.paths[lower.id]
        assert upper.segment + lower.segment == segment
        self.paths[upper.id] = (space, above, upper.segment)
        self.paths[lower.id] = (space, above + upper.segment, lower.segment)

    def matched(self, node: Node[None], tokens: int) -> None:
        self.hits.append(tokens)

    def removed(self, node: Node[None], reason: Reason) -> None:
        self.reasons.append(reason)
        space, above, segment = self.paths.pop(node.id)
        assert (space, above + segment) == (node.space.name, node.key())


def test_a_mirror_rebuilt_from_what_it_hears_is_the_tree() -> None:
    rng = random.Random(1)
    mirror = Mirror()
    tree = Tree(NOTHING, listeners=[mirror], clock=Clock())
    matches = 0
    for _ in range(600):
        key, space = pack(rng.choices(range(3), k=rng.randint(1, 9))), rng.choice("ab")
        match rng.randrange(5):
            case 0:
                tree.match(key, space)
                matches += space in tree.spaces
            case 1 | 2:
                node = tree.insert(key, None, space).node
                if not node.children:
                    tree.grow(node, pack([7]), None)
            case 3:
                tree.evict(rng.randint(1, 4))
            case 4 if rng.random() < 0.1:
                flush(tree, space)
        assert {v.id: v.token_ids for v in tree.walk()} == {i: path[2] for i, path in mirror.paths.items()}
        assert all(len(mirror.paths[v.id][1]) == v.depth * 4 for v in tree.walk())
    assert set(mirror.reasons) == {"capacity", "flush"}
    assert len(mirror.hits) == matches


def test_spans_cut_what_is_new_and_name_its_origin() -> None:
    system, user, answer = Origin("system"), Origin("user", "s1"), Origin("assistant", "s1")
    spans = [Span(4, system), Span(6, user), Span(9, answer)]
    tree = Tree(NOTHING)
    tree.insert(pack(range(12)), None, spans=spans)
    tree.insert(pack([0, 1, 2, 3, 90, 91, 92]), None, spans=[Span(4, system), Span(6, user), Span(7, answer)])
    found = [(unpack(view.token_ids), view.origin) for view in tree.walk()]
    assert found == [
        ([0, 1, 2, 3], system),
        ([4, 5], user),
        ([6, 7, 8], answer),
        ([9, 10, 11], answer),
        ([90, 91], user),
        ([92], answer),
    ]
    tree.check_integrity()


def test_spans_end_with_whole_pages() -> None:
    tree = Tree(NOTHING, page_size=4)
    tree.insert(pack(range(12)), None, spans=[Span(3, Origin("system")), Span(9, Origin("user"))])
    assert [view.origin.role for view in tree.walk()] == ["user", "user"]
    tree.check_integrity()


def test_a_trace_says_where_a_key_leaves_and_touches_nothing() -> None:
    tree = Tree(NOTHING)
    tree.insert(pack([1, 2, 3, 4]), None)
    tree.insert(pack([1, 2, 7]), None)
    before = list(tree.walk())
    whole, inside, end, nothing = (tree.trace(pack(key)) for key in ([1, 2, 3, 4], [1, 2, 3, 9], [1, 2, 8], [5]))
    assert (whole.tokens, whole.partly) == (4, None)
    assert inside.tokens == 3
    assert inside.partly is whole.node
    assert (end.tokens, end.partly, len(end.node.children)) == (2, None, 2)
    assert (nothing.tokens, nothing.partly, nothing.node.parent) == (0, None, None)
    assert [(v.id, v.hits, v.token_ids) for v in tree.walk()] == [(v.id, v.hits, v.token_ids) for v in before]


def test_a_walk_goes_on_while_the_tree_changes() -> None:
    tree = Tree(NOTHING, clock=Clock())
    for first in range(20):
        tree.insert(pack([first, 1, 2, 3]), None)
    walk = tree.walk()
    seen = [next(walk) for _ in range(5)]
    tree.match(pack([10, 1]))  # splits a node that the walk has not reached
    tree.evict(4)  # the first of those it has seen
    tree.insert(pack([10, 1, 9]), None)
    seen += list(walk)
    ids = [view.id for view in seen]
    assert len(ids) == len(set(ids))
    assert all(view.parent == 0 or view.parent in ids[: ids.index(view.id)] for view in seen)
    lasting = {view.id for view in tree.walk()}
    assert lasting - set(ids) == set() or len(lasting - set(ids)) <= 1


def test_a_removal_goes_on_while_the_tree_changes() -> None:
    tree = Tree(NOTHING, clock=Clock())
    for first in range(50):
        tree.insert(pack([first // 10, first, 1]), None)
    going = removing(tree, tree.roots())
    list(islice(going, 10))
    locked = tree.match(pack([4, 49, 1])).node
    tree.lock(locked)
    tree.match(pack([3, 35]))
    list(going)
    tree.check_integrity()
    assert [unpack(view.token_ids) for view in tree.walk()] == [[4], [49, 1]] or tree.tokens == locked.end


def test_only_what_a_session_brought_goes_with_it() -> None:
    tree = Tree(NOTHING)
    mine, theirs = Origin("user", "mine"), Origin("user", "theirs")
    tree.insert(pack([1, 2, 3]), None, spans=[Span(3, mine)])
    tree.insert(pack([1, 2, 3, 4]), None, spans=[Span(4, theirs)])
    tree.insert(pack([1, 2, 5]), None, spans=[Span(3, mine)])
    removed = [unpack(node.segment) for node in removing(tree, tree.roots(), "mine")]
    assert removed == [[5]]
    assert tree.trace(pack([1, 2, 3, 4])).tokens == 4
