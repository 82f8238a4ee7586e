"""What must hold of a tree between any two calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixa.core.tokens import TOKEN_BYTES

if TYPE_CHECKING:
    from radixa.radix.node import Node
    from radixa.radix.tree import Tree


def check(tree: Tree[Any]) -> None:
    """Raise AssertionError, naming the node, where the structure or a count of `tree` is wrong."""
    page = tree.page_size * TOKEN_BYTES
    ids: set[int] = set()
    tokens = evictable = retained = keeping = 0
    for name, space in tree.spaces.items():
        assert space.name == name, f"namespace {name!r} calls itself {space.name!r}"
        assert space.root.children, f"namespace {name!r} is empty"
        below = 0
        pending: list[Node[Any]] = [space.root]
        while pending:
            node = pending.pop()
            for first, child in node.children.items():
                assert child.parent is node, f"{child!r} hangs below {node!r} and names another parent"
                assert child.space is space, f"{child!r} lies in {name!r} and names {child.space.name!r}"
                assert child.segment, f"{child!r} is empty"
                assert not len(child.segment) % page, f"{child!r} holds part of a page"
                assert child.segment[:page] == first, f"{child!r} is filed under another page than its first"
                assert node.parent is None or node.locks >= child.locks, f"{child!r} is locked more often than {node!r}"
                assert node.parent is None or node.used >= child.used, f"{child!r} was used later than {node!r}"
                assert not child.evictable or child.queued is not None, f"{child!r} could go and is not in the queue"
                assert not child.gone, f"{child!r} is in the tree and is said to have left it"
                assert child.depth == node.end, f"{child!r} is said to lie {child.depth} deep, and does {node.end}"
                assert child.keep is None or node.parent is None or node.keep, f"{child!r} is kept, {node!r} is not"
                assert child.id not in ids, f"two nodes have the id {child.id}"
                ids.add(child.id)
                below += child.tokens
                evictable += 0 if child.locks else child.tokens
                retained += child.tokens if child.keep else 0
                keeping += child.keep is not None
                pending.append(child)
        assert space.tokens == below, f"namespace {name!r} counts {space.tokens} tokens and has {below}"
        tokens += below
    assert tree.nodes == len(ids), f"the tree counts {tree.nodes} nodes and has {len(ids)}"
    assert tree.tokens == tokens, f"the tree counts {tree.tokens} tokens and has {tokens}"
    assert tree.evictable == evictable, f"the tree counts {tree.evictable} evictable tokens and has {evictable}"
    kept = tree.retention
    assert (kept.tokens, kept.nodes) == (retained, keeping), (
        f"{retained} tokens are retained, counted are {kept.tokens}"
    )
    assert kept.tokens <= kept.budget, f"{kept.tokens} tokens are retained, over the budget of {kept.budget}"
