"""One HTTP request: its head, its body within the limit, and whether the client is still there."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from radixa.core.errors import BodyTimeout, BodyTooLarge, InvalidRequest, shown
from radixa.gateway.asgi import CUT, Receive, Scope
from radixa.gateway.auth import Identity
from radixa.providers.streams import T, closing
from radixa.store.ledger.base import LedgerRow

if TYPE_CHECKING:
    from radixa.gateway.catalogue import Offer

_DRAIN_FACTOR = 4
"""A body over the limit is still read, and thrown away, up to this many limits: most clients send all of it before they
read an answer, and would otherwise see a broken connection instead of the 413."""

LEAST_RATE = 1024
"""Bytes a second that a body gains time by, and an answer too: one that moves in drops does not move for ever."""

CLIENT_LEFT = 499
"""What a request is counted as whose client did not wait for the answer, or for the end of its own body."""

_MOST_DIGITS = 20
_WATCH_AFTER_S = 0.05
"""Waiting for a client to leave costs a task, and the HTTP server a turn with the interpreter's lock."""


class ClientLeft(Exception):
    """The client closed the connection before its body was complete."""


class Request:
    """A request as its handler sees it. `id` is the answer's `x-request-id`."""

    def __init__(self, scope: Scope, receive: Receive, body_timeout_s: float) -> None:
        """`body_timeout_s`: how long its body may be silent before it is complete."""
        # By time first, so that rows of the ledger go to one end of its key and not all over the file.
        self.id = f"req_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
        self.started = time.perf_counter()
        self.created = int(time.time())
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.left = False
        """Whether the client closed the connection while it was watched."""
        self.argument = ""
        """What stands in the path after the route's own part: the id in `/v1/models/{id}`."""
        self._scope = scope
        self._receive = receive
        self._body_timeout_s = body_timeout_s
        self._soon: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._streams: list[AsyncIterator[Any]] = []
        self._ends: list[Callable[[], None]] = []
        self._identity: Identity | None = None
        self.offer: Offer | None = None
        """The model that was asked last; None until the request was let through to one."""
        self.row: LedgerRow | None = None
        """What it used; None until it is in the ledger."""
        self.finish_reasons: tuple[str, ...] = ()
        """Of the answers that ended, as far as they are in the ledger."""

    @property
    def known(self) -> Identity | None:
        """Who asks, where that is known."""
        return self._identity

    @property
    def identity(self) -> Identity:
        """Who asks. Only on routes that need a key."""
        assert self._identity is not None
        return self._identity

    @identity.setter
    def identity(self, identity: Identity) -> None:
        self._identity = identity

    def header(self, name: bytes) -> bytes | None:
        """The first header of that lower-case name."""
        for found, value in self._scope["headers"]:
            if found == name:
                return bytes(value)
        return None

    @property
    def address(self) -> str:
        """The client's address; empty where the server does not know it."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    def cut(self) -> None:
        """End the connection at once, where the server can."""
        end = self._scope.get("extensions", {}).get(CUT)
        if end is not None:
            end()

    def query(self) -> dict[str, str]:
        """The query's parameters; of one given twice, the last."""
        return dict(parse_qsl(self._scope["query_string"].decode("latin-1"), keep_blank_values=True))

    async def body(self, limit: int) -> bytes:
        """The whole body. BodyTooLarge where it is over `limit` bytes, BodyTimeout where it stops coming, ClientLeft
        where its client goes."""
        parts, size, begun = [], 0, time.monotonic()
        while size <= limit * _DRAIN_FACTOR:
            message = await self._part(begun + size / LEAST_RATE)
            if message["type"] == "http.disconnect":
                raise ClientLeft
            part = message.get("body", b"")
            size += len(part)
            if size <= limit:
                parts.append(part)
            else:
                parts.clear()
            if not message.get("more_body"):
                break
        if size > limit:
            raise BodyTooLarge(
                f"The request's body is over this server's limit of {limit} bytes. Expected a smaller one.",
                code="request_too_large",
            )
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _part(self, since: float) -> dict[str, Any]:
        """The next part of the body, which has until a timeout after `since` and no longer than one timeout."""
        wait = self._body_timeout_s + min(0.0, since - time.monotonic())
        try:
            async with asyncio.timeout(wait):
                return await self._receive()
        except TimeoutError:
            raise BodyTimeout(
                f"The request's body did not come to its end: nothing more came within {self._body_timeout_s:g} "
                f"seconds, or less than {LEAST_RATE} bytes a second. Expected the body that the headers announce."
            ) from None

    def watch(self) -> None:
        """From now on, cancel the task that handles this request when the client leaves. The body has been read.

        An answer that is there in a moment is not worth a task of its own beside it.
        """
        task = asyncio.current_task()
        assert task is not None
        self._soon = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._watch, task)

    def _watch(self, task: asyncio.Task[Any]) -> None:
        self._watcher = asyncio.create_task(self._wait_for_the_end(task))

    async def _wait_for_the_end(self, task: asyncio.Task[Any]) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.leave(task)

    def leave(self, task: asyncio.Task[Any]) -> None:
        """The client is gone, or given up: end the `task` that answers it."""
        self.left = True
        task.cancel()

    def owns(self, stream: AsyncIterator[T]) -> AsyncIterator[T]:
        """Close `stream` when this request is over, however it ends: that cancels the work behind it."""
        self._streams.append(stream)
        return stream

    def ends(self, end: Callable[[], None]) -> None:
        """Call `end` when this request is over and its streams are closed. A stream that nobody began to read has no
        other end."""
        self._ends.append(end)

    async def close(self) -> None:
        # Both hold this request, which would otherwise stay, with its body, until the garbage collector comes.
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
        await self._end()

    async def _end(self) -> None:
        """Each of them, also where one fails or is cancelled."""
        try:
            while self._streams:
                async with closing(self._streams.pop()):
                    pass
            while self._ends:
                self._ends.pop()()
        except BaseException:
            await self._end()
            raise


def integer(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number out of a query. InvalidRequest where it is none, or out of range."""
    text = query.get(name)
    if text is None:
        return default
    number = whole(text)
    if number is None or not low <= number <= high:
        raise InvalidRequest(
            f"Invalid '{name}': '{shown(text)}'. Expected a whole number from {low} to {high}.",
            param=name,
            code="invalid_value",
        )
    return number


def whole(text: str) -> int | None:
    """The number that decimal digits write; None for anything else, and for more digits than any of ours has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
