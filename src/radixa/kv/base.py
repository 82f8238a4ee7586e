"""What the engine sees of the KV cache.

A **slot** is a place in the pool for one token's K and V in every layer. Slots are handed out in contiguous **runs**,
because attention reads a run as a view and gathering a whole context costs more than the model (DESIGN 7).

Ownership: a slot is free, or held by the tree, or held by one running request's lease; never two of these (law 2).
Slots that a lease *matched* belong to the tree and are locked for it; slots that it got by `extend` are its own until
`commit` or `finish` hands them to the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from radixa.core.base import Explanation
from radixa.radix import MAX_LEVELS, Keep, Node, NodeView, Span

if TYPE_CHECKING:
    from radixa.kv.runs import Runs


class SlotRun(NamedTuple):
    """`length` slots from `start` on."""

    start: int
    length: int


class Segment(NamedTuple):
    """A contiguous run of slots on a request's path, and whose it is.

    `owner` is the tree node's id (at least 1) for slots other requests may attend to as well, 0 for the lease's own.
    A node whose slots lie in several runs gives several segments with the same owner, in order.
    """

    owner: int
    start: int
    length: int


class Lease(Protocol):
    """One running request's hold on the cache: a locked path in the tree, then slots of its own."""

    cached: int
    """Prompt tokens whose KV was found when the lease was made."""

    @property
    def held(self) -> int:
        """Leading tokens of the request that lie in the tree and are locked for it; at least `cached`."""
        ...

    @property
    def room(self) -> int:
        """Leading tokens of the request that have a slot, in the tree or of its own; at least `held`."""
        ...

    def segments(self, tokens: int) -> list[Segment]:
        """Where the first `tokens` tokens of the request lie, root first; their lengths sum to `tokens` <= `room`."""
        ...


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Slots by holder; `free + tree + leased = capacity` (law 2). `evictable` is the unlocked part of `tree`."""

    capacity: int
    free: int
    leased: int
    tree: int = 0
    evictable: int = 0
    nodes: int = 0
    evicted: int = 0
    """Tokens evicted since the start: a counter, as are the last three."""
    retained: int = 0
    """Tokens in the tree that TTLs, priorities and pins keep (`radix.retention`)."""
    retention_budget: int = 0
    expired: int = 0
    """Tokens whose TTL ran out."""
    flushed: int = 0
    """Tokens that were dropped on request."""
    yielded: int = 0
    """Tokens that lost their retention to its budget."""


class PrefixCache(Protocol):
    """The KV cache as the scheduler uses it. Implementations: `RadixCache`, `ForceMissCache` and `NoCache`.

    Keys are token ids as bytes (`core.tokens`). Not thread-safe: the engine's loop is the only caller.
    """

    @property
    def shares(self) -> bool:
        """Whether what one request commits another can hit: if not, waiting for another's prefix gains nothing."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever the result of a `peek` or the segments of a lease may have changed."""
        ...

    def peek(self, key: bytes, namespace: str) -> int:
        """Tokens of `key` that would hit now. Touches nothing: no time, no lock, no split."""
        ...

    def explain(self, key: bytes, namespace: str, *, read: bool, below: int = 0, remember: bool = False) -> Explanation:
        """What the prompt `key` would find now, and why no more. Touches nothing.

        `read`: whether the request may use the cache. `below`: leading tokens that a lower tier could bring up. With
        `remember` the request counts in the search for stretches that change with every request.
        """
        ...

    def match(self, key: bytes, namespace: str, limit: int) -> Lease:
        """Lock the longest cached prefix of `key`, at most `limit` tokens of it, and lend its slots."""
        ...

    def bare(self, namespace: str) -> Lease:
        """A lease on nothing: for requests that may not read the cache."""
        ...

    def extend(self, lease: Lease, tokens: int, reserve: int = 0) -> bool:
        """Give the lease slots until `room >= tokens`, contiguous with its last run where that can be.

        Asks for up to `reserve` further slots so that later growth is contiguous too, but takes only what is free for
        those. Evicts as needed. False, and nothing changed, where unlocked entries and free slots together do not
        suffice.
        """
        ...

    def commit(self, lease: Lease, key: bytes, spans: Sequence[Span] = ()) -> int:
        """Hand the KV of `key` (the request's first tokens, all computed) to the tree and stay locked on it.

        Where the tree already has part of it, the lease is moved to the tree's slots and its duplicates are freed: no
        other request can map them, since they were this lease's own. `spans` say of which origin the tokens are.
        Returns the tokens newly kept.
        """
        ...

    def settle(self, lease: Lease, key: bytes, spans: Sequence[Span] = (), keep: Keep | None = None) -> int:
        """`commit`, then free the slots that the tree did not take; the path stays locked until `release`.

        With `keep` the whole path gets this retention. Returns the tokens newly kept.
        """
        ...

    def finish(self, lease: Lease, key: bytes, spans: Sequence[Span] = (), keep: Keep | None = None) -> int:
        """`settle`, then `release`."""
        ...

    def release(self, lease: Lease) -> None:
        """Unlock and free without keeping anything that is not in the tree yet."""
        ...

    def flushing(
        self, namespace: str | None = None, session: str | None = None, prefix: bytes | None = None
    ) -> Iterator[int]:
        """Drop what is not in use, one entry with each step of the iterator, whose items are tokens dropped.

        Of one namespace and those beneath it, or of all. With `session` only what that session brought; with `prefix`,
        in exactly this namespace, that path as far as nothing else goes on from it, and all that begins with it.
        """
        ...

    def namespaces(self) -> dict[str, int]:
        """Tokens in the tree by namespace; one that has none is absent."""
        ...

    def walk(
        self, namespace: str | None = None, *, levels: int = MAX_LEVELS, min_tokens: int = 1
    ) -> Iterator[NodeView]:
        """Nodes in depth-first order, of one namespace and those beneath it or of all; the cache may change between
        two of them. Those more than `levels` below the root are left out, and those of fewer than `min_tokens` tokens
        passed over."""
        ...

    def locked(self) -> list[Node[Runs]]:
        """The last node of each path that a running request holds; those above it are locked as well."""
        ...

    def find(self, number: int, namespace: str | None = None) -> Iterator[Node[Runs] | None]:
        """The node with that id, in one namespace and those beneath it or in all: None for each node that is looked at
        before it, and nothing after it."""
        ...

    def keep(self, node: Node[Runs], keep: Keep | None) -> None:
        """Give the path down to a node of this cache that retention in place of the node's own; None for none."""
        ...

    def stats(self) -> CacheStats: ...

    def check_integrity(self) -> None:
        """Raise AssertionError unless slots are conserved and the tree is sound."""
        ...
