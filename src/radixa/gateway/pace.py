"""Sending at a client's own pace, but not for ever: one that does not take its answer loses its connection.

The HTTP server takes no more than some hundred KiB that its client has not taken, and lets `send` wait. So a slow
client holds bounded memory; here is the bound on its time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from radixa.gateway.asgi import Send
from radixa.gateway.request import LEAST_RATE, Request

log = logging.getLogger("radixa.gateway")

PIECE = 64 * 1024
"""A larger body goes out in pieces of so many bytes, so that the client's pace is seen."""


class PacedSend:
    """The ASGI `send` of one request; `close` when the request is over.

    The client may keep us waiting for `timeout_s`; each `LEAST_RATE` bytes that it takes win back a second of what it
    used up. Then the connection is cut, and the task that answers it is cancelled as if the client had left.
    """

    def __init__(self, send: Send, request: Request, timeout_s: float) -> None:
        self.late = False
        """Whether the client was too slow."""
        self._send = send
        self._request = request
        self._timeout_s = timeout_s
        self._left_s = timeout_s
        self._since: float | None = None
        """When the `send` that runs began."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, message: dict[str, Any]) -> None:
        body = message.get("body", b"")
        sent = 0
        while len(body) - sent > PIECE:
            await self._paced({**message, "body": body[sent : sent + PIECE], "more_body": True}, PIECE)
            sent += PIECE
        await self._paced({**message, "body": body[sent:]} if sent else message, len(body) - sent)

    async def _paced(self, message: dict[str, Any], size: int) -> None:
        begun = self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._left_s, self._check)
        try:
            await self._send(message)
        finally:
            self._since = None
            self._left_s -= self._loop.time() - begun
        self._left_s = min(self._timeout_s, self._left_s + size / LEAST_RATE)

    def _check(self) -> None:
        """Come again when the time could be over, or end it where it is."""
        self._timer = None
        since = self._since
        if since is None:
            # Nothing is being sent; the next `send` sets another timer.
            return
        left = self._left_s - (self._loop.time() - since)
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
            return
        self.late = True
        log.warning("the client does not take its answer: its connection is cut")
        self._request.leave(self._task)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.late:
            self._request.cut()
