"""A node of the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import Keep, Origin, P

if TYPE_CHECKING:
    from radixa.radix.spaces import Space


class Node(Generic[P]):
    """A segment of tokens with its payload. Only the tree changes one."""

    __slots__ = (
        "children",
        "created",
        "depth",
        "expired",
        "gone",
        "granted",
        "hits",
        "id",
        "keep",
        "left",
        "locks",
        "origin",
        "parent",
        "payload",
        "queue",
        "queued",
        "segment",
        "space",
        "used",
    )

    id: int
    """Never used twice in a tree; 0 for a root."""
    parent: Node[P] | None
    """None for a root. A node that has left the tree still names the one it hung below."""
    gone: bool
    """It has left the tree."""
    left: float
    """When it left; 0.0 before."""
    children: dict[bytes, Node[P]]
    """By the first page of the child's segment."""
    segment: bytes
    payload: P
    space: Space[P]
    depth: int
    """Tokens on the path above."""
    origin: Origin
    locks: int
    """Locks on paths that go through this node, hence at least those of any child."""
    keep: Keep | None
    """Its retention; only `retention.py` changes it."""
    granted: bool
    """A path that was retained ended here, and it still is."""
    expired: float
    """When a retention of it last ran out; 0.0 where none did."""
    hits: int
    used: float
    created: float
    queue: Any
    """The eviction queue that holds this node, or held it last."""
    queued: Any
    """The key under which it holds the node; None where it does not."""

    def __init__(
        self,
        number: int,
        parent: Node[P] | None,
        segment: bytes,
        payload: P,
        space: Space[P],
        depth: int,
        origin: Origin,
        used: float,
        created: float,
    ) -> None:
        self.id = number
        self.parent = parent
        self.gone = False
        self.left = 0.0
        self.children = {}
        self.segment = segment
        self.payload = payload
        self.space = space
        self.depth = depth
        self.origin = origin
        self.locks = 0
        self.keep = None
        self.granted = False
        self.expired = 0.0
        self.hits = 0
        self.used = used
        self.created = created
        self.queue = None
        self.queued = None

    @property
    def tokens(self) -> int:
        return len(self.segment) // TOKEN_BYTES

    @property
    def end(self) -> int:
        """Tokens on the path down to this node and including it."""
        return self.depth + len(self.segment) // TOKEN_BYTES

    @property
    def evictable(self) -> bool:
        """An unlocked leaf of the tree."""
        return not (self.locks or self.children or self.gone or self.parent is None)

    def path(self) -> list[Node[P]]:
        """The nodes from below the root down to this one."""
        nodes = []
        node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        nodes.reverse()
        return nodes

    def key(self) -> bytes:
        """The tokens of the whole path."""
        return b"".join([node.segment for node in self.path()])

    def __repr__(self) -> str:
        return f"<Node {self.id}: {self.tokens} tokens, {len(self.children)} children, {self.locks} locks>"
