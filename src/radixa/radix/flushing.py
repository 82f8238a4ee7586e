"""Removing on request, one node at a time: what is not locked, of a whole namespace, of a session, below a prefix.

The tree may change between two nodes: this is how a flush goes on while requests run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import Evicted, P
from radixa.radix.node import Node
from radixa.radix.tree import Tree
from radixa.radix.walk import bottom_up


def flush(tree: Tree[P], namespace: str | None = None) -> Evicted[P]:
    """Remove every node that is not locked, of one namespace and those beneath it or of all."""
    removed = list(removing(tree, tree.roots(namespace)))
    return Evicted(sum(node.tokens for node in removed), [node.payload for node in removed])


def removing(tree: Tree[P], roots: Sequence[Node[P]], session: str | None = None) -> Iterator[Node[P]]:
    """Remove the nodes below `roots` that are not locked, leaves first; each comes when it has been removed.

    With `session`, only those that this session brought and nobody goes on from.
    """
    for root in roots:
        for node in bottom_up(root):
            if node.evictable and (session is None or node.origin.session == session):
                tree.remove(node, "flush")
                yield node
    tree.prune()


def removing_prefix(tree: Tree[P], key: bytes, namespace: str) -> Iterator[Node[P]]:
    """Remove what begins with `key` and is not locked, then `key`'s own path as far up as nothing else needs it.

    A path that was granted retention by itself is needed. Where the end of `key` is gone already, what is left of its
    path goes likewise.
    """
    whole = len(key) - len(key) % (tree.page_size * TOKEN_BYTES)
    found = tree.trace(key, namespace)
    node, ends = found.node, False
    if found.tokens * TOKEN_BYTES == whole:
        if found.partly is not None:
            node = tree.split(found.partly, (found.tokens - found.partly.depth) * TOKEN_BYTES)
        tail = key[whole:]
        ends = not tail
        below = [child for child in list(node.children.values()) if child.segment.startswith(tail)]
        yield from removing(tree, below)
        for child in below:
            if child.evictable:
                tree.remove(child, "flush")
                yield child
    while node.evictable and (ends or not node.granted):
        tree.remove(node, "flush")
        yield node
        assert node.parent is not None
        node, ends = node.parent, False
