"""The radix tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import nextafter
from time import monotonic
from typing import Any, Generic

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import Evicted, EvictionPolicy, InsertResult, MatchResult, NodeView, P, PayloadType
from radixa.radix.compare import shared_bytes
from radixa.radix.eviction import EvictionQueue
from radixa.radix.integrity import check
from radixa.radix.node import Node, Space, beneath
from radixa.radix.policies import lru
from radixa.radix.walk import walk


class Tree(Generic[P]):
    """Token paths by namespace, each node with a payload (`base.py`). Not thread-safe.

    `page_size`: tokens a page. `max_segment`: the most tokens an insert puts into one node, a multiple of the page
    size; None sets no bound. `clock`: seconds, never going back; where it stands still, the next float is taken, so
    that no two operations have the same time.
    """

    def __init__(
        self,
        payloads: PayloadType[P],
        *,
        page_size: int = 1,
        policy: EvictionPolicy = lru,
        max_segment: int | None = None,
        clock: Callable[[], float] = monotonic,
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
        self.version = 0
        """Changes whenever nodes come, go, split or grow."""
        self.splits = 0
        """Changes whenever the nodes on a locked path may have become others."""
        self.spaces: dict[str, Space[P]] = {}
        self._page = page_size * TOKEN_BYTES
        self._max_segment = max_segment * TOKEN_BYTES if max_segment else None
        self._clock = clock
        self._now = clock()
        self._last_id = 0
        # The payload of a root, whose segment is empty, is never read.
        self.nowhere: Node[P] = Space[Any]("", None).root
        """A root without a namespace: where an empty path ends."""
        self._queue: EvictionQueue[P] = EvictionQueue(policy)

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
        return MatchResult(node, pos // TOKEN_BYTES)

    def peek(self, key: bytes, namespace: str = "") -> int:
        """How many tokens `match` would find. Changes nothing."""
        space = self.spaces.get(namespace)
        if space is None:
            return 0
        page = self._page
        end = len(key) - len(key) % page
        node = space.root
        pos = 0
        while pos < end:
            child = node.children.get(key[pos : pos + page])
            if child is None:
                break
            shared = shared_bytes(child.segment, key, pos, end)
            pos += shared - shared % page
            if shared < len(child.segment):
                break
            node = child
        return pos // TOKEN_BYTES

    def insert(self, key: bytes, payload: P, namespace: str = "", start: int = 0) -> InsertResult[P]:
        """Add the path `key`, whose whole pages are kept, touching the nodes that it goes through as a match does.

        `payload` is that of the kept tokens from `start` on; the tokens before must be in the tree, else ValueError.
        The part of it whose tokens the tree had already comes back unused.
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
            node = self._append(node, key[pos:end], payload, now)
        return InsertResult(node, matched, unused)

    def grow(self, node: Node[P], tokens: bytes, payload: P) -> None:
        """Make the leaf `node` longer by whole pages, as if they had been inserted together with it."""
        if node.children or node.parent is None or len(tokens) % self._page:
            raise ValueError(
                f"{node!r} cannot grow by {len(tokens) // TOKEN_BYTES} tokens: only a leaf, by whole pages"
            )
        node.segment += tokens
        node.payload = self.payloads.join(node.payload, payload)
        self._added(node.space, len(tokens) // TOKEN_BYTES)
        if node.locks:
            self.evictable -= len(tokens) // TOKEN_BYTES
        now = self._tick()
        touched: Node[P] | None = node
        while touched is not None:
            touched.used = now
            touched = touched.parent
        self._offer(node)

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

    # ---- removing

    def evict(self, tokens: int) -> Evicted[P]:
        """Remove whole leaves in the policy's order until `tokens` tokens are gone or nothing unlocked is left."""
        queue = self._queue
        payloads: list[P] = []
        gone = 0
        while gone < tokens:
            node = queue.pop()
            if node is None:
                break
            parent, tokens_gone = self._remove(node)
            gone += tokens_gone
            payloads.append(node.payload)
            if not parent.children:
                self._offer(parent)
        self.evicted += gone
        return Evicted(gone, payloads)

    def flush(self, namespace: str | None = None) -> Evicted[P]:
        """Remove every node that is not locked, of one namespace and those beneath it or of all."""
        payloads: list[P] = []
        gone = 0
        for space in [space for space in self.spaces.values() if beneath(space.name, namespace)]:
            # Parents come before their children in this list, so going backwards each node is a leaf when it goes.
            for node in reversed(list(self._unlocked(space.root))):
                gone += self._remove(node)[1]
                payloads.append(node.payload)
        self._queue.prune()
        return Evicted(gone, payloads)

    # ---- looking

    def namespaces(self) -> dict[str, int]:
        """Tokens in the tree by namespace."""
        return {space.name: space.tokens for space in self.spaces.values()}

    def walk(self, namespace: str | None = None, limit: int | None = None) -> list[NodeView]:
        """Nodes in depth-first order, of one namespace and those beneath it or of all; the first `limit` of them."""
        roots = [space.root for space in self.spaces.values() if beneath(space.name, namespace)]
        return walk(roots, max(self._clock(), self._now), limit)

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
            node = self._split(child, shared)
            node.hits += hit
            self._offer(child)
            return node, pos + shared
        self._offer(node)
        return node, pos

    def _split(self, node: Node[P], at: int) -> Node[P]:
        """Cut `node` after `at` bytes. It stays the lower part, so whoever holds its path goes on holding all of it."""
        parent = node.parent
        assert parent is not None
        first, rest = self.payloads.split(node.payload, at // TOKEN_BYTES)
        segment = node.segment
        upper = self._node(parent, segment[:at], first, node.space, node.used, node.created)
        upper.locks = node.locks
        upper.hits = node.hits
        node.segment = segment[at:]
        node.payload = rest
        node.parent = upper
        upper.children[node.segment[: self._page]] = node
        self.version += 1
        self.splits += 1
        return upper

    def _append(self, node: Node[P], tokens: bytes, payload: P, now: float) -> Node[P]:
        """Hang `tokens` below `node`; the new leaf."""
        space = node.space
        longest = self._max_segment or len(tokens)
        for pos in range(0, len(tokens), longest):
            segment = tokens[pos : pos + longest]
            first, payload = self.payloads.split(payload, len(segment) // TOKEN_BYTES)
            node = self._node(node, segment, first, space, now, now)
        self._added(space, len(tokens) // TOKEN_BYTES)
        self._offer(node)
        return node

    def _node(
        self, parent: Node[P], segment: bytes, payload: P, space: Space[P], used: float, created: float
    ) -> Node[P]:
        self._last_id += 1
        self.nodes += 1
        node = Node(self._last_id, parent, segment, payload, space, used, created)
        parent.children[segment[: self._page]] = node
        return node

    def _added(self, space: Space[P], tokens: int) -> None:
        space.tokens += tokens
        self.tokens += tokens
        self.evictable += tokens
        self.version += 1

    def _remove(self, node: Node[P]) -> tuple[Node[P], int]:
        """Take an unlocked leaf out; its parent and its tokens."""
        parent = node.parent
        assert parent is not None
        segment = node.segment
        tokens = len(segment) // TOKEN_BYTES
        space = node.space
        del parent.children[segment[: self._page]]
        node.parent = None
        space.tokens -= tokens
        if not space.tokens:
            del self.spaces[space.name]
        self.nodes -= 1
        self.tokens -= tokens
        self.evictable -= tokens
        self.version += 1
        return parent, tokens

    def _unlocked(self, root: Node[P]) -> Iterable[Node[P]]:
        pending = list(root.children.values())
        while pending:
            node = pending.pop()
            if not node.locks:
                yield node
            pending.extend(node.children.values())

    def _offer(self, node: Node[P]) -> None:
        if not node.locks and not node.children and node.parent is not None:
            self._queue.offer(node)
