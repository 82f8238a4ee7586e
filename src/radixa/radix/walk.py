"""Going through the tree one node at a time, while it may change in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from radixa.radix.base import NodeView, P
from radixa.radix.node import Node


def walk(roots: Sequence[Node[Any]], now: Callable[[], float]) -> Iterator[NodeView]:
    """The nodes below `roots`, depth-first, each parent before its children."""
    pending = [(node, root) for root in reversed(roots) for node in reversed(root.children.values())]
    while pending:
        node, above = pending.pop()
        if node.gone:
            continue
        # Where the node was split since it was found, what was cut off its front comes first.
        cut = []
        upper = node.parent
        while upper is not None and upper is not above:
            cut.append(upper)
            upper = upper.parent
        for found in reversed(cut):
            yield _view(found, now())
        pending.extend([(child, node) for child in reversed(node.children.values())])
        yield _view(node, now())


def bottom_up(root: Node[P]) -> Iterator[Node[P]]:
    """The nodes below `root`, each after those below it that were there when it was reached."""
    pending: list[tuple[Node[P], Iterator[Node[P]]]] = [(root, iter(list(root.children.values())))]
    while pending:
        node, children = pending[-1]
        child = next(children, None)
        if child is not None:
            pending.append((child, iter(list(child.children.values()))))
            continue
        pending.pop()
        if node is not root and not node.gone:
            yield node


def _view(node: Node[Any], now: float) -> NodeView:
    parent = node.parent
    return NodeView(
        id=node.id,
        parent=parent.id if parent is not None else 0,
        namespace=node.space.name,
        token_ids=node.segment,
        depth=node.depth,
        hits=node.hits,
        last_use=now - node.used,
        created=now - node.created,
        locked=node.locks > 0,
        origin=node.origin,
        keep=node.keep,
    )
