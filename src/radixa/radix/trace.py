"""Following a key without touching anything."""

from __future__ import annotations

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import P, Trace
from radixa.radix.compare import shared_bytes
from radixa.radix.node import Node


def trace(root: Node[P], key: bytes, page: int) -> Trace[P]:
    """Where the whole pages of `key`, of `page` bytes, leave what lies below `root`."""
    end = len(key) - len(key) % page
    node = root
    pos = 0
    while pos < end:
        child = node.children.get(key[pos : pos + page])
        if child is None:
            break
        shared = shared_bytes(child.segment, key, pos, end)
        if shared < len(child.segment):
            return Trace(node, (pos + shared - shared % page) // TOKEN_BYTES, child)
        pos += shared
        node = child
    return Trace(node, pos // TOKEN_BYTES, None)
