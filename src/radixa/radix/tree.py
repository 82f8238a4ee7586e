"""The radix tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import nextafter
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
    hearing,
)
from radixa.radix.compare import shared_bytes
from radixa.radix.eviction import EvictionOrder
from radixa.radix.integrity import check
from radixa.radix.node import Node, Space, account, beneath
from radixa.radix.policies import lru
from radixa.radix.retention import Retention
from radixa.radix.spans import pieces
from radixa.radix.walk import walk

MAX_LEVELS = 1 << 30
"""More than any path has."""


class Tree(Generic[P]):
    """Token paths by namespace, each node with a payload (`base.py`). Not thread-safe.

    `page_size`: tokens a page. `max_segment`: the most tokens an insert puts into one node, a multiple of the page
    size; None sets no bound. `budget`: the most tokens that may be retained. `listeners` hear of every change, after
    the policy where that is an object. `clock`: seconds, never going back; where it stands still, the next float is
    taken, so that no two operations have the same time. `last_id`: ids of nodes are greater.
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
        self.spaces: dict[str, Space[P]] = {}
        """By namespace; none of them is empty."""
        self.accounts: dict[str, set[str]] = {}
        """The names of these namespaces, by account."""
        self.retention: Retention[P] = Retention(budget)
        self._page = page_size * TOKEN_BYTES
        self._max_segment = max_segment * TOKEN_BYTES if max_segment else None
        self._clock = clock
        self._now = clock()
        self._last_id = last_id
        # The payload of a root, whose segment is empty, is never read.
        self.nowhere: Node[P] = Space[Any]("", None).root
        """A root without a namespace: where an empty path ends."""
        self._order: EvictionOrder[P] = EvictionOrder(policy)
        if isinstance(policy, GroupedPolicy):
            policy.again = self._offer
            listeners = (policy, *listeners)
        self._added_to = hearing("added", listeners)
        self._split_to = hearing("split", listeners)
        self._matched_to = hearing("matched", listeners)
        self._removed_to = hearing("removed", listeners)
        self._kept_to = hearing("kept", listeners)

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
        node, pos = self._descend(space.root, key, end - end % self._page, self._tick(), 1)
        for matched in self._matched_to:
            matched(node, pos // TOKEN_BYTES)
        return MatchResult(node, pos // TOKEN_BYTES)

    def trace(self, key: bytes, namespace: str = "") -> Trace[P]:
        """Where `key` leaves the tree. Changes nothing."""
        space = self.spaces.get(namespace)
        if space is None:
            return Trace(self.nowhere, 0, None)
        page = self._page
        end = len(key) - len(key) % page
        node = space.root
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
        now = self._tick()
        node, pos = self._descend(space.root, key, end, now, 0)
        matched = pos // TOKEN_BYTES
        if matched < start:
            raise ValueError(f"insert from token {start} on: the tree has only the first {matched} tokens of this path")
        unused, payload = self.payloads.split(payload, matched - start)
        if pos < end:
            self.spaces[namespace] = space
            self.accounts.setdefault(account(namespace), set()).add(namespace)
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
        now = self._tick()
        touched: Node[P] | None = node
        while touched is not None:
            touched.used = now
            touched = touched.parent
        for added in self._added_to:
            added(node, count)
        self._offer(node)
        self._yield()

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
                self._offer(node)
            node = node.parent

    # ---- retention

    def retain(self, node: Node[P], keep: Keep) -> None:
        """Grant the path down to `node` the retention `keep`, as far as the budget allows (`retention.py`)."""
        self.retention.grant(node, keep)
        self._unranked(node)
        self._yield()

    def release(self, node: Node[P]) -> None:
        """Take the retention of `node` away; it stays, as an ordinary one. What is retained below it needs it back."""
        self.retention.release(node)
        self._unranked(node)

    def expire(self) -> None:
        """Take retention whose TTL has run out away; `evict` does so by itself."""
        for node in self.retention.due(self.now()):
            self._unranked(node)

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
        for split in self._split_to:
            split(upper, node)
        return upper

    def evict(self, tokens: int) -> Evicted[P]:
        """Remove whole leaves in the policy's order until `tokens` tokens are gone or nothing unlocked is left."""
        if self.retention.ends_by(self._now):
            self.expire()
        order = self._order
        payloads: list[P] = []
        gone = 0
        while gone < tokens:
            node = order.pop(self._now)
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
        node.left = self._now
        space.tokens -= tokens
        if not space.tokens:
            del self.spaces[space.name]
            owner = account(space.name)
            self.accounts[owner].remove(space.name)
            if not self.accounts[owner]:
                del self.accounts[owner]
        self.nodes -= 1
        self.tokens -= tokens
        self.evictable -= tokens
        self.version += 1
        if reason == "flush":
            self.flushed += tokens
        if node.keep is not None:
            self.retention.release(node)
        for removed in self._removed_to:
            removed(node, reason)
        self._offer(parent)
        return tokens

    def prune(self) -> None:
        """Forget what was taken out and still waits for its eviction; to be called after many removals."""
        self._order.prune()

    # ---- looking

    def now(self) -> float:
        """The tree's time: not before that of its last operation."""
        return max(self._clock(), self._now)

    def roots(self, namespace: str | None = None) -> list[Node[P]]:
        """The roots of one namespace and those beneath it, or of all."""
        return [space.root for space in self.spaces.values() if beneath(space.name, namespace)]

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

    def _tick(self) -> float:
        now = self._clock()
        if now <= self._now:
            now = nextafter(self._now, float("inf"))
        self._now = now
        return now

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
            self._offer(child)
            return node, pos + shared
        self._offer(node)
        return node, pos

    def _append(self, node: Node[P], key: bytes, pos: int, payload: P, spans: Sequence[Span], now: float) -> Node[P]:
        """Hang key[pos:] below `node`; the new leaf."""
        space = node.space
        start = pos
        for stop, origin in pieces(pos, len(key), self._page, self._max_segment, spans):
            first, payload = self.payloads.split(payload, (stop - pos) // TOKEN_BYTES)
            node = self._node(node, key[pos:stop], first, origin, now, now)
            for added in self._added_to:
                added(node, (stop - pos) // TOKEN_BYTES)
            pos = stop
        self._count(space, (len(key) - start) // TOKEN_BYTES)
        self._offer(node)
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

    def _offer(self, node: Node[P]) -> None:
        if not (node.locks or node.children or node.gone or node.parent is None):
            self._order.offer(node)

    def _yield(self) -> None:
        """Keep the retention budget."""
        if self.retention.tokens > self.retention.budget:
            self.expire()
            for node in self.retention.excess():
                self._unranked(node)

    def _unranked(self, node: Node[P]) -> None:
        """`node` has another retention, so perhaps another place in the order."""
        self._offer(node)
        for kept in self._kept_to:
            kept(node)
