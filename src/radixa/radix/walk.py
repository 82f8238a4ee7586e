"""Going through the tree one node at a time, while it may change in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from radixa.radix.base import NodeView, P
from radixa.radix.node import Node


class _Found(NamedTuple):
    """A node that the walk has still to go through."""

    node: Node[Any]
    above: Node[Any]
    """What it hung below when it was found."""
    parent: int
    """The last node above it that was shown."""
    level: int


def walk(roots: Sequence[Node[Any]], now: Callable[[], float], levels: int, min_tokens: int) -> Iterator[NodeView]:
    """The nodes below `roots`, depth-first, each parent before its children, down to `levels` below the root.

    A node of fewer than `min_tokens` tokens is passed over: what hangs below it is shown below what is above it.
    """
    pending = [_Found(node, root, 0, 1) for root in reversed(roots) for node in reversed(root.children.values())]
    while pending:
        node, above, parent, level = pending.pop()
        if node.gone:
            continue
        # Where the node was split since it was found, what was cut off its front comes first.
        line = [node]
        while (upper := line[-1].parent) is not None and upper is not above:
            line.append(upper)
        for member in reversed(line):
            if member.tokens >= min_tokens:
                yield view(member, parent, now())
                parent = member.id
        if level < levels:
            children = reversed(node.children.values())
            pending.extend([_Found(child, node, parent, level + 1) for child in children])


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


def finding(roots: Sequence[Node[P]], number: int) -> Iterator[Node[P] | None]:
    """The node with that id below `roots`: None for each node that is looked at before it, and nothing after it.

    The tree may change between two of them; what came after the search began may then not be found.
    """
    pending = [child for root in roots for child in root.children.values()]
    while pending:
        node = pending.pop()
        if node.id == number:
            if not node.gone:
                yield node
            return
        # Where the node was split since it was found, what was cut off its front has an id of its own.
        upper = node.parent
        while upper is not None and upper.parent is not None and upper.id > node.id:
            if upper.id == number:
                yield upper
                return
            upper = upper.parent
        pending.extend(node.children.values())
        yield None


def view(node: Node[Any], parent: int, now: float) -> NodeView:
    """What `node` is at the tree's time `now`, below the node with the id `parent`."""
    return NodeView(
        id=node.id,
        parent=parent,
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
