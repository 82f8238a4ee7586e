"""A node of the tree, and the namespace it lies in."""

from __future__ import annotations

from typing import Any, Generic

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import P


class Node(Generic[P]):
    """A segment of tokens with its payload. Only the tree changes one."""

    __slots__ = (
        "children",
        "created",
        "hits",
        "id",
        "locks",
        "parent",
        "payload",
        "queued",
        "segment",
        "space",
        "used",
    )

    id: int
    """Never used twice in a tree; 0 for a root."""
    parent: Node[P] | None
    """None for a root, and for a node that has left the tree."""
    children: dict[bytes, Node[P]]
    """By the first page of the child's segment."""
    segment: bytes
    payload: P
    space: Space[P]
    locks: int
    """Locks on paths that go through this node, hence at least those of any child."""
    hits: int
    used: float
    created: float
    queued: Any
    """The key under which the eviction queue holds this node; None where it does not."""

    def __init__(
        self,
        number: int,
        parent: Node[P] | None,
        segment: bytes,
        payload: P,
        space: Space[P],
        used: float,
        created: float,
    ) -> None:
        self.id = number
        self.parent = parent
        self.children = {}
        self.segment = segment
        self.payload = payload
        self.space = space
        self.locks = 0
        self.hits = 0
        self.used = used
        self.created = created
        self.queued = None

    @property
    def tokens(self) -> int:
        return len(self.segment) // TOKEN_BYTES

    @property
    def evictable(self) -> bool:
        """An unlocked leaf of the tree."""
        return not self.locks and not self.children and self.parent is not None

    def path(self) -> list[Node[P]]:
        """The nodes from below the root down to this one."""
        nodes = []
        node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        nodes.reverse()
        return nodes

    def __repr__(self) -> str:
        return f"<Node {self.id}: {self.tokens} tokens, {len(self.children)} children, {self.locks} locks>"


class Space(Generic[P]):
    """A namespace: a root of its own, so that no two ever meet, and what lies beneath it."""

    __slots__ = ("name", "root", "tokens")

    def __init__(self, name: str, payload: P) -> None:
        self.name = name
        self.tokens = 0
        self.root: Node[P] = Node(0, None, b"", payload, self, 0.0, 0.0)


def beneath(name: str, namespace: str | None) -> bool:
    """Whether `name` is `namespace` or lies beneath it ("account/salt" beneath "account"); None has all beneath it."""
    return namespace is None or name == namespace or name.startswith(namespace + "/")
