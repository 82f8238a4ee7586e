"""What happens in the tree, told to everybody who watches: the engine is asked once for all of them.

It is asked four times a second while somebody watches, and not at all while nobody does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from radixa.core.errors import RadixaError, RateLimited
from radixa.engine.base import Changes, Touch
from radixa.gateway.auth import Identity
from radixa.gateway.base import encode
from radixa.gateway.nodes import NodeBody, expiry, node_body, owns
from radixa.gateway.veil import veiled
from radixa.models.base import Tokenizer
from radixa.providers.local.provider import LocalProvider
from radixa.radix import NodeView

log = logging.getLogger("radixa.gateway")

TURN_S = 0.25
AGAIN_S = 1.0
"""After the engine did not answer."""
QUIET_S = 15.0
"""After so long without an event there is one that says nothing, by which each side sees that the other is there."""
MOST_WAITING = 64
"""Answers of the engine that wait for one slow viewer; with one more they are dropped, and it is told to read anew."""
MOST_VIEWERS = 16
"""Of one account."""


class OpenBody(msgspec.Struct, frozen=True):
    """The tree may be read: what happens from now on is told."""

    time: float
    """Unix seconds."""
    locked: list[int]


class EventBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened; a node is told as it is now. To be applied in this order: removals, nodes, touches, locked."""

    time: float
    """Unix seconds."""
    removals: list[tuple[int, str]] = []
    """Ids of nodes that left the tree, and why: `capacity` or `flush`."""
    nodes: list[NodeBody] = []
    """New, split or grown."""
    touches: list[tuple[int, int, float, bool, bool, float | None]] = []
    """Nodes that were hit or have another retention: id, hits, last use in seconds ago, pin, priority, expiry."""
    locked: list[int] | None = None
    """Where running requests are: the last node of each one's path. Told where it is another than before."""
    reload: bool = False
    """More happened than is told: read the tree anew."""


class TreeFeed:
    """One server's. `local` is asked for the engine; RadixaError while there is none. `still` says what a viewer may
    who came a while ago; Unauthorized where the key no longer works."""

    def __init__(
        self,
        local: Callable[[], LocalProvider],
        stopping: Callable[[], bool],
        still: Callable[[Identity], Awaitable[Identity]],
    ) -> None:
        self._local = local
        self._still = still
        self._stopping = stopping
        self._viewers: set[_Viewer] = set()
        self._asking: asyncio.Task[None] | None = None

    async def open(self, identity: Identity, namespace: str | None) -> AsyncIterator[bytes]:
        """Events for one viewer, of a namespace and those beneath it or of all. The first comes when the tree may be
        read: what happens from then on is told. RateLimited where an account has too many."""
        if sum(viewer.identity.account_id == identity.account_id for viewer in self._viewers) >= MOST_VIEWERS:
            raise RateLimited(
                f"This account watches the tree {MOST_VIEWERS} times already: close one of its viewers.",
                kind="requests",
                retry_ms=None,
            )
        viewer = _Viewer(identity, namespace, self._local().tokenizer)
        return self._events(viewer)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _events(self, viewer: _Viewer) -> AsyncIterator[bytes]:
        self._viewers.add(viewer)
        try:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            first = await viewer.next()
            if first is None:
                return
            # What it tells will be seen by whoever reads the tree now.
            viewer.locked = viewer.ends(first)
            yield b"event: open\ndata: " + encode(OpenBody(round(time.time(), 3), viewer.locked)) + b"\n\n"
            clock = asyncio.get_running_loop().time
            said = clock()
            while not self._stopping():
                try:
                    # The engine answers all the time, mostly that nothing happened.
                    async with asyncio.timeout_at(said + QUIET_S):
                        changes = await viewer.next()
                except TimeoutError:
                    said = clock()
                    yield b": nothing happens\n\n"
                    continue
                if changes is None:
                    break
                viewer.identity = await self._still(viewer.identity)
                body = await self._told(viewer, changes)
                if body is not None:
                    said = clock()
                    yield b"event: changes\ndata: " + encode(body) + b"\n\n"
        finally:
            self._viewers.discard(viewer)

    async def _ask(self) -> None:
        """Ask the engine as long as there are viewers."""
        try:
            while True:
                wait = await self._turn()
                if not self._viewers or self._stopping():
                    break
                await asyncio.sleep(wait)
        finally:
            for viewer in self._viewers:
                viewer.end()

    async def _turn(self) -> float:
        """Ask it once; seconds until the next time."""
        try:
            changes = await self._local().engine.changes()
        except RadixaError as error:
            log.debug("the tree's changes are not told: %s", error.message)
            return AGAIN_S
        for viewer in self._viewers:
            viewer.hear(changes)
        return 0.0 if changes.more else TURN_S

    async def _told(self, viewer: _Viewer, changes: list[Changes]) -> EventBody | None:
        """What one viewer may hear of them, together; None where that is nothing."""
        identity, tokenizer = viewer.identity, viewer.tokenizer
        sees = viewer.sees
        nodes: dict[int, NodeView] = {}
        touches: dict[int, Touch] = {}
        for one in changes:
            for node in one.nodes:
                if sees(node.namespace):
                    nodes[node.id] = node
                    # What was said of it before is older than it, and would be applied after it.
                    touches.pop(node.id, None)
            touches |= {touch.id: touch for touch in one.touches if sees(touch.namespace)}
        removals = {gone.id: gone for one in changes for gone in one.removals if sees(gone.namespace)}
        lost = viewer.behind or any(sees(account) for one in changes for account in one.lost)
        viewer.behind = False
        told: list[NodeBody] = []
        if nodes:
            alive = [node for number, node in nodes.items() if number not in removals]
            told = await asyncio.to_thread(lambda: [node_body(node, identity, tokenizer) for node in alive])
        locked = viewer.ends(changes)
        body = EventBody(
            time=round(time.time(), 3),
            removals=[(veiled(gone.id), gone.reason) for gone in removals.values()],
            nodes=told,
            touches=[
                (
                    veiled(touch.id),
                    touch.hits,
                    round(touch.last_use, 3),
                    touch.keep is not None and touch.keep.pin,
                    touch.keep is not None and touch.keep.priority,
                    expiry(touch.keep, touch.last_use),
                )
                for touch in touches.values()
                if touch.id not in removals
            ],
            locked=None if locked == viewer.locked else locked,
            reload=lost,
        )
        viewer.locked = locked
        return body if body.removals or body.nodes or body.touches or body.locked is not None or body.reload else None


class _Viewer:
    """What one viewer has still to hear."""

    def __init__(self, identity: Identity, namespace: str | None, tokenizer: Tokenizer) -> None:
        self.identity = identity
        self.namespace = namespace
        self.tokenizer = tokenizer
        self.locked: list[int] = []
        self.behind = False
        """More happened than was kept for it."""
        self._waiting: list[Changes] = []
        self._ended = False
        self._news = asyncio.Event()
        self._first = True

    def sees(self, namespace: str) -> bool:
        if not (self.identity.admin or owns(self.identity, namespace)):
            return False
        wanted = self.namespace
        return wanted is None or namespace == wanted or namespace.startswith(f"{wanted}/")

    def hear(self, changes: Changes) -> None:
        """The engine says that it begins to watch: then what was before is not told, and nothing of it is known."""
        self.behind |= changes.begun and not self._first
        self._first = False
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self.behind = True
        self._waiting.append(changes)
        self._news.set()

    def ends(self, changes: list[Changes]) -> list[int]:
        """Where running requests are that this viewer sees."""
        return sorted(veiled(number) for number, namespace in changes[-1].locked if self.sees(namespace))

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def next(self) -> list[Changes] | None:
        """All that came since, oldest first; None at the end."""
        while not self._waiting and not self._ended:
            self._news.clear()
            await self._news.wait()
        waiting, self._waiting = self._waiting, []
        return waiting or None
