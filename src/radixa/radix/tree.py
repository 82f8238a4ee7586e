"""The radix tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Generic

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import (
    Evicted,
    GroupedPolicy,
    InsertResult,
    Keep,
    Listener,
    MatchResult,
    NodeView,
    Origin,
    P,
    PayloadType,
    Policy,
    Reason,
    Span,
    Trace,
)
from radixa.radix.clock import Clock
from radixa.radix.compare import shared_bytes
from radixa.radix.eviction import EvictionOrder
from radixa.radix.integrity import check
from radixa.radix.listening import Listening
from radixa.radix.node import Node
from radixa.radix.policies import lru
from radixa.radix.retention import Retention
from radixa.radix.spaces import Space, Spaces
from radixa.radix.spans import pieces
from radixa.radix.trace import trace
from radixa.radix.walk import walk

MAX_LEVELS = 1 << 30
"""More than any path has."""


class Tree(Generic[P]):
    """Token paths by namespace, each node with a payload (`base.py`). Not thread-safe.

    `page_size`: tokens a page. `max_segment`: the most tokens an insert puts into one node, a multiple of the page
    size; None sets no bound. `budget`: the most tokens that may be retained. `listeners` hear of every change, after
    the policy where that is an object. `clock`: seconds, never going back. `last_id`: ids of nodes are greater.
    """

    def __init__(
        self,
        payloads: PayloadType[P],
        *,
        page_size: int = 1,
        policy: Policy = lru,
        max_segment: int | None = None,
        budget: int = 0,
        listeners: Sequence[Listener[P]] = (),
        clock: Callable[[], float] = monotonic,
        last_id: int = 0,
    ) -> None:
        if page_size < 1:
            raise ValueError(f"page_size is {page_size}; a page holds at least 1 token")
        if max_segment is not None and (max_segment < 1 or max_segment % page_size):
            raise ValueError(f"max_segment is {max_segment}; it must be a multiple of the page size, {page_size}")
        self.page_size = page_size
        self.payloads = payloads
        self.tokens = 0
        """Tokens in the tree."""
        self.evictable = 0
        """Tokens in nodes that nobody has locked; eviction can free exactly these."""
        self.nodes = 0
        self.evicted = 0
        """Tokens evicted since the start: a counter."""
        self.flushed = 0
        """Tokens dropped on request since the start: a counter."""
        self.version = 0
        """Changes whenever nodes come, go, split or grow."""
        self.splits = 0
        """Changes whenever the nodes on a locked path may have become others."""
        self.spaces: Spaces[P] = Spaces()
        self.accounts = self.spaces.accounts
        self._page = page_size * TOKEN_BYTES
        self._max_segment = max_segment * TOKEN_BYTES if max_segment else None
        self._last_id = last_id
        # The payload of a root, whose segment is empty, is never read.
        self.nowhere: Node[P] = Space[Any]("", None).root
        """A root without a namespace: where an empty path ends."""
        self._clock = Clock(clock)
        self._tell = Listening((policy, *listeners) if isinstance(policy, GroupedPolicy) else listeners)
        self._order: EvictionOrder[P] = EvictionOrder(policy)
        self.retention: Retention[P] = Retention(budget, self._clock, self._kept)

    # ---- finding and adding

    def match(self, key: bytes, namespace: str = "", limit: int | None = None) -> MatchResult[P]:
        """The longest path that `key` begins with, `limit` tokens at most.

        Every node on it gets the new time. A node in which the match ends is split there, and its unmatched rest gets
        the new time too.
        """
        space = self.spaces.get(namespace)
        if space is None:
            return MatchResult(self.nowhere, 0)
        end = len(key) if limit is None else min(len(key), limit * TOKEN_BYTES)
        node, pos = self._descend(space.root, key, end - end % self._page, self._clock.tick(), 1)
        for matched in self._tell.matched:
            matched(node, pos // TOKEN_BYTES)
        return MatchResult(node, pos // TOKEN_BYTES)

    def trace(self, key: bytes, namespace: str = "") -> Trace[P]:
        """Where `key` leaves the tree. Changes nothing."""
        space = self.spaces.get(namespace)
        return trace(self.nowhere if space is None else space.root, key, self._page)

    def peek(self, key: bytes, namespace: str = "") -> int:
        """How many tokens `match` would find. Changes nothing."""
        return self.trace(key, namespace).tokens

    def insert(
        self, key: bytes, payload: P, namespace: str = "", start: int = 0, spans: Sequence[Span] = ()
    ) -> InsertResult[P]:
        """Add the path `key`, whose whole pages are kept, touching the nodes that it goes through as a match does.

        `payload` is that of the kept tokens from `start` on; the tokens before must be in the tree, else ValueError.
        The part of it whose tokens the tree had already comes back unused. What is new is cut into nodes where `spans`
        end (at whole pages), so that each node has one origin; tokens after the last span have that one's.
        """
        end = len(key) - len(key) % self._page
        space = self.spaces.get(namespace)
        if space is None:
            space = Space[Any](namespace, None)
        now = self._clock.tick()
        node, pos = self._descend(space.root, key, end, now, 0)
        matched = pos // TOKEN_BYTES
        if matched < start:
            raise ValueError(f"insert from token {start} on: the tree has only the first {matched} tokens of this path")
        unused, payload = self.payloads.split(payload, matched - start)
        if pos < end:
            if not space.tokens:
                self.spaces.enter(space)
            node = self._append(node, key[:end], pos, payload, spans, now)
        return InsertResult(node, matched, unused)

    def grow(self, node: Node[P], tokens: bytes, payload: P) -> None:
        """Make the leaf `node` longer by whole pages, as if they had been inserted together with it."""
        if node.children or node.gone or node.parent is None or len(tokens) % self._page:
            raise ValueError(
                f"{node!r} cannot grow by {len(tokens) // TOKEN_BYTES} tokens: only a leaf, by whole pages"
            )
        count = len(tokens) // TOKEN_BYTES
        node.segment += tokens
        node.payload = self.payloads.join(node.payload, payload)
        self._count(node.space, count)
        if node.locks:
            self.evictable -= count
        if node.keep is not None:
            self.retention.count(node, count)
        now = self._clock.tick()
        touched: Node[P] | None = node
        while touched is not None:
            touched.used = now
            touched = touched.parent
        for added in self._tell.added:
            added(node, count)
        self._order.offer(node)
        self.retention.keep_budget()

    # ---- locks

    def lock(self, node: Node[P], above: Node[P] | None = None) -> None:
        """Keep the path down to `node` from eviction until it is unlocked; with `above`, only what lies below that."""
        taken = 0
        while node is not above and node.parent is not None:
            if not node.locks:
                taken += len(node.segment)
            node.locks += 1
            node = node.parent
        self.evictable -= taken // TOKEN_BYTES

    def unlock(self, node: Node[P]) -> None:
        """Undo one `lock` of the path down to `node`."""
        while node.parent is not None:
            if not node.locks:
                raise ValueError(f"{node!r} is not locked")
            node.locks -= 1
            if not node.locks:
                self.evictable += len(node.segment) // TOKEN_BYTES
                self._order.offer(node)
            node = node.parent

    # ---- retention

    def retain(self, node: Node[P], keep: Keep) -> None:
        """Grant the path down to `node` the retention `keep`, as far as the budget allows (`retention.py`)."""
        self.retention.grant(node, keep)

    def release(self, node: Node[P]) -> None:
        """Take the retention of `node` away; it stays, as an ordinary one. What is retained below it needs it back."""
        self.retention.release(node)

    def expire(self) -> None:
        """Take retention whose TTL has run out away; `evict` does so by itself."""
        self.retention.expire()

    # ---- cutting and removing

    def split(self, node: Node[P], at: int) -> Node[P]:
        """Cut `node` after `at` bytes. It stays the lower part, so whoever holds its path goes on holding all of it."""
        parent = node.parent
        assert parent is not None
        first, rest = self.payloads.split(node.payload, at // TOKEN_BYTES)
        segment = node.segment
        upper = self._node(parent, segment[:at], first, node.origin, node.used, node.created)
        upper.locks = node.locks
        upper.hits = node.hits
        upper.expired = node.expired
        node.segment = segment[at:]
        node.payload = rest
        node.parent = upper
        node.depth += at // TOKEN_BYTES
        upper.children[node.segment[: self._page]] = node
        self.version += 1
        self.splits += 1
        if node.keep is not None:
            self.retention.split(upper, node)
        for split in self._tell.split:
            split(upper, node)
        return upper

    def evict(self, tokens: int) -> Evicted[P]:
        """Remove whole leaves in the policy's order until `tokens` tokens are gone or nothing unlocked is left."""
        if self.retention.ends_by(self._clock.last):
            self.expire()
        payloads: list[P] = []
        gone = 0
        while gone < tokens:
            node = self._order.pop(self._clock.last)
            if node is None:
                break
            gone += self.remove(node, "capacity")
            payloads.append(node.payload)
        self.evicted += gone
        return Evicted(gone, payloads)

    def remove(self, node: Node[P], reason: Reason) -> int:
        """Take an unlocked leaf out; its tokens."""
        parent = node.parent
        assert parent is not None
        segment = node.segment
        tokens = len(segment) // TOKEN_BYTES
        space = node.space
        del parent.children[segment[: self._page]]
        node.gone = True
        node.left = self._clock.last
        space.tokens -= tokens
        if not space.tokens:
            self.spaces.leave(space)
        self.nodes -= 1
        self.tokens -= tokens
        self.evictable -= tokens
        self.version += 1
        if reason == "flush":
            self.flushed += tokens
        if node.keep is not None:
            self.retention.drop(node)
        for removed in self._tell.removed:
            removed(node, reason)
        self._order.offer(parent)
        return tokens

    def prune(self) -> None:
        """Forget what was taken out and still waits for its eviction; to be called after many removals."""
        self._order.prune()

    # ---- looking

    def now(self) -> float:
        """The tree's time: not before that of its last operation."""
        return self._clock.now()

    def roots(self, namespace: str | None = None) -> list[Node[P]]:
        """The roots of one namespace and those beneath it, or of all."""
        return self.spaces.roots(namespace)

    def namespaces(self) -> dict[str, int]:
        """Tokens in the tree by namespace."""
        return {space.name: space.tokens for space in self.spaces.values()}

    def walk(
        self, namespace: str | None = None, *, levels: int = MAX_LEVELS, min_tokens: int = 1
    ) -> Iterator[NodeView]:
        """Nodes in depth-first order, of one namespace and those beneath it or of all (`walk.py`).

        The tree may change between two of them; what came after the walk began may then be left out.
        """
        return walk(self.roots(namespace), self.now, levels, min_tokens)

    def check_integrity(self) -> None:
        """AssertionError unless the tree is sound and its counts are right."""
        check(self)

    # ---- inside

    def _descend(self, node: Node[P], key: bytes, end: int, now: float, hit: int) -> tuple[Node[P], int]:
        """Follow key[:end] from a root down, touching and splitting; the node it ends in and the bytes it shares."""
        page = self._page
        pos = 0
        while pos < end:
            child = node.children.get(key[pos : pos + page])
            if child is None:
                break
            child.used = now
            segment = child.segment
            after = pos + len(segment)
            if after <= end and key.startswith(segment, pos):
                child.hits += hit
                node = child
                pos = after
                continue
            shared = shared_bytes(segment, key, pos, end)
            shared -= shared % page
            node = self.split(child, shared)
            node.hits += hit
            self._order.offer(child)
            return node, pos + shared
        self._order.offer(node)
        return node, pos

    def _append(self, node: Node[P], key: bytes, pos: int, payload: P, spans: Sequence[Span], now: float) -> Node[P]:
        """Hang key[pos:] below `node`; the new leaf."""
        space = node.space
        start = pos
        for stop, origin in pieces(pos, len(key), self._page, self._max_segment, spans):
            first, payload = self.payloads.split(payload, (stop - pos) // TOKEN_BYTES)
            node = self._node(node, key[pos:stop], first, origin, now, now)
            for added in self._tell.added:
                added(node, (stop - pos) // TOKEN_BYTES)
            pos = stop
        self._count(space, (len(key) - start) // TOKEN_BYTES)
        self._order.offer(node)
        return node

    def _node(
        self, parent: Node[P], segment: bytes, payload: P, origin: Origin, used: float, created: float
    ) -> Node[P]:
        self._last_id += 1
        self.nodes += 1
        node = Node(self._last_id, parent, segment, payload, parent.space, parent.end, origin, used, created)
        parent.children[segment[: self._page]] = node
        return node

    def _count(self, space: Space[P], tokens: int) -> None:
        space.tokens += tokens
        self.tokens += tokens
        self.evictable += tokens
        self.version += 1

    def _kept(self, node: Node[P]) -> None:
        """`node` has another retention, so perhaps another place in the order."""
        self._order.offer(node)
        for kept in self._tell.kept:
            kept(node)
