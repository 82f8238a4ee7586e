"""What the tree takes and what it answers.

A key is a token path as bytes of int32 (`core.tokens`). An edge of the tree carries a **segment** of tokens, and the
node below it a **payload**, one unit of which belongs to each of those tokens: KV slots in the engine, anything else
elsewhere. Counts and depths are in tokens. A tree with page size p holds whole pages of p tokens only: a key's last
incomplete page is neither matched nor kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from radixa.radix.node import Node

P = TypeVar("P")

Reason = Literal["capacity", "flush"]
"""Why a node left the tree: room was needed, or somebody asked for it to go."""


@dataclass(frozen=True, slots=True)
class PayloadType(Generic[P]):
    """How the payload of a segment follows its tokens when the tree cuts a segment in two or makes one longer."""

    split: Callable[[P, int], tuple[P, P]]
    """The payload of the first n tokens, and that of the rest; n may be 0 or all."""
    join: Callable[[P, P], P]
    """One payload for two segments that follow each other."""


NOTHING: PayloadType[None] = PayloadType(split=lambda payload, tokens: (None, None), join=lambda first, second: None)
"""For trees that only count."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request said of a stretch of its tokens: whose turn they are, and in which session."""

    role: str = ""
    """`system`, `tool`, `user`, `assistant` or `thinking`; empty where it is not known."""
    session: str = ""
    """A name that is one session's alone within a namespace; empty where the request named none."""


UNKNOWN = Origin()


class Span(NamedTuple):
    """The origin of the tokens up to `end`, counted from the root, after those of the span before."""

    end: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Keep:
    """A wish that a path go last (`retention.py`). It ranks; it locks nothing."""

    ttl: float = inf
    """Seconds since the last use after which the wish ends; infinite without a TTL."""
    priority: bool = False
    pin: bool = False

    @property
    def lasts(self) -> float:
        """Seconds since the last use after which nothing is left of the wish."""
        return inf if self.priority or self.pin else self.ttl

    def merged(self, other: Keep) -> Keep:
        """Both wishes: the longer TTL, and every rank that either gives."""
        if self == other:
            return self
        ttls = [keep.ttl for keep in (self, other) if keep.ttl < inf]
        return Keep(max(ttls, default=inf), self.priority or other.priority, self.pin or other.pin)


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

    @property
    def depth(self) -> int:
        """Tokens on the path above the node."""
        ...

    @property
    def origin(self) -> Origin: ...

    @property
    def id(self) -> int: ...


EvictionPolicy = Callable[[Facts], Any]
"""A pure function from a node to a sortable key; the leaf with the smallest goes first, of equals the older node.

A key may change only when a match or an insert touches the node, or when it is split or grown.
"""


class Listener(Generic[P]):
    """Hears what happens to the tree's nodes, after it has happened. Override what is of interest; change nothing."""

    def added(self, node: Node[P], tokens: int) -> None:
        """The last `tokens` tokens of `node` are new: all of them, or those that it grew by."""

    def split(self, upper: Node[P], lower: Node[P]) -> None:
        """`upper` is new and took the first tokens of `lower`, which stays the node it was."""

    def matched(self, node: Node[P], tokens: int) -> None:
        """A match found `tokens` tokens and ended in `node`; every node on its path has the new time."""

    def removed(self, node: Node[P], reason: Reason) -> None:
        """`node` has left the tree; its `parent` and `segment` are what they were."""

    def kept(self, node: Node[P]) -> None:
        """The retention of `node` is another than it was, and perhaps that of nodes above it."""


class GroupedPolicy(Listener[Any]):
    """A policy with a memory: an object beside the tree, which hears of what happens there.

    It puts the leaves into groups, orders those within a group as a pure function would, and says from which group the
    next one goes. Both `group` and `key` of a node may change only when the node is touched, split or grown, or when
    the policy asks for it to be looked at again through `again`.
    """

    again: Callable[[Node[Any]], None]
    """Set by the tree: call it with a node whose group or key has changed for another reason."""

    def group(self, node: Node[Any]) -> Hashable:
        raise NotImplementedError

    def key(self, node: Node[Any]) -> Any:
        """Sortable within the node's group; the smallest goes first."""
        raise NotImplementedError

    def pick(self, heads: Sequence[Node[Any]], now: float) -> Node[Any]:
        """The node that goes, out of the first of each group that has one; at least one is given."""
        raise NotImplementedError


Policy = EvictionPolicy | GroupedPolicy


class MatchResult(NamedTuple, Generic[P]):
    """The longest path of the tree that a key begins with."""

    node: Node[P]
    """The node it ends in, exactly at the node's end; a root where nothing matched."""
    tokens: int


class Trace(NamedTuple, Generic[P]):
    """Where a key leaves the tree, found without touching anything."""

    node: Node[P]
    """The last node that the key goes through to its end; a root where there is none."""
    tokens: int
    """Leading tokens of the key that are in the tree."""
    partly: Node[P] | None
    """The child of `node` within whose segment the key leaves; None where it leaves at the end of `node`."""


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
    """The id of the node above it, or of the last one above that is shown; 0 where there is none."""
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
    origin: Origin
    keep: Keep | None
    """The retention it has (`retention.py`)."""
