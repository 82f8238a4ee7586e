"""What the tree takes and what it answers.

A key is a token path as bytes of int32 (`core.tokens`). An edge of the tree carries a **segment** of tokens, and the
node below it a **payload**, one unit of which belongs to each of those tokens: KV slots in the engine, anything else
elsewhere. Counts and depths are in tokens. A tree with page size p holds whole pages of p tokens only: a key's last
incomplete page is neither matched nor kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from radixa.radix.node import Node

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class PayloadType(Generic[P]):
    """How the payload of a segment follows its tokens when the tree cuts a segment in two or makes one longer."""

    split: Callable[[P, int], tuple[P, P]]
    """The payload of the first n tokens, and that of the rest; n may be 0 or all."""
    join: Callable[[P, P], P]
    """One payload for two segments that follow each other."""


NOTHING: PayloadType[None] = PayloadType(split=lambda payload, tokens: (None, None), join=lambda first, second: None)
"""For trees that only count."""


class Facts(Protocol):
    """What an eviction policy may look at."""

    @property
    def used(self) -> float:
        """When a match or an insert last went through the node; seconds of the tree's clock, no two requests equal."""
        ...

    @property
    def created(self) -> float: ...

    @property
    def hits(self) -> int:
        """Matches that ended in the node or went through it."""
        ...

    @property
    def tokens(self) -> int:
        """Length of the node's segment."""
        ...


EvictionPolicy = Callable[[Facts], Any]
"""A pure function from a node to a sortable key; the leaf with the smallest goes first, of equals the older node.

A key may change only when a match or an insert touches the node, or when it is split or grown.
"""


class MatchResult(NamedTuple, Generic[P]):
    """The longest path of the tree that a key begins with."""

    node: Node[P]
    """The node it ends in, exactly at the node's end; a root where nothing matched."""
    tokens: int


class InsertResult(NamedTuple, Generic[P]):
    """What an insert found and did."""

    node: Node[P]
    """The node the key's path ends in, exactly at the node's end."""
    matched: int
    """Leading tokens of the key that were in the tree before."""
    unused: P
    """The part of the given payload that was not taken, because the tree had those tokens already."""


class Evicted(NamedTuple, Generic[P]):
    """What an eviction or a flush removed."""

    tokens: int
    payloads: list[P]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as a viewer sees it: a copy, which outlives the node."""

    id: int
    parent: int
    """The parent's id; 0 for a child of the root."""
    namespace: str
    token_ids: bytes
    depth: int
    """Tokens on the path above this node."""
    hits: int
    last_use: float
    """Seconds since a match or an insert last went through."""
    created: float
    """Seconds since it was inserted; a split keeps it."""
    locked: bool
