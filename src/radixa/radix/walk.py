"""The tree as a list, for viewers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radixa.radix.base import NodeView
from radixa.radix.node import Node


def walk(roots: Sequence[Node[Any]], now: float, limit: int | None = None) -> list[NodeView]:
    """The nodes below `roots`, depth-first, each parent before its children; the first `limit`, or all."""
    views: list[NodeView] = []
    pending = [(node, 0) for root in reversed(roots) for node in reversed(root.children.values())]
    while pending and (limit is None or len(views) < limit):
        node, depth = pending.pop()
        parent = node.parent
        views.append(
            NodeView(
                id=node.id,
                parent=parent.id if parent is not None else 0,
                namespace=node.space.name,
                token_ids=node.segment,
                depth=depth,
                hits=node.hits,
                last_use=now - node.used,
                created=now - node.created,
                locked=node.locks > 0,
            )
        )
        below = depth + node.tokens
        pending.extend((child, below) for child in reversed(node.children.values()))
    return views
