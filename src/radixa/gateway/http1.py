"""The HTTP/1.1 server: uvicorn's protocol over llhttp, on this process's own loop, with bounds that it does not have.

Nothing of it runs in another thread: a request is handed to the application without a turn with the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from radixa.core.config import ServerConfig
from radixa.core.errors import InvalidRequest, RadixaError
from radixa.gateway.address import BACKLOG
from radixa.gateway.asgi import CUT, Application
from radixa.gateway.errors import error_json

_TOGETHER = 64 * 1024
"""Bytes that are written as one at most; more is for the transport to say that it is too much."""
_DATE_S = 1.0
_LEAVING_LOOK_S = 0.02
_AROUND_A_HEADER = len(b": \r\n")


class HttpServer:
    """Accepts on `listener` and answers by `app`."""

    def __init__(self, app: Application, listener: socket.socket, config: ServerConfig, connections: int) -> None:
        """`connections` at once; a further one is told 503 and closed."""
        self.connections = connections
        self.max_header_bytes = config.max_header_bytes
        self.idle_timeout_s = config.idle_timeout_s
        self.state = ServerState()
        self.settings = Config(
            app, interface="asgi3", ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False
        )
        self.settings.load()
        self._listener = listener
        _let_go_of_the_dead(listener, 2 * config.write_timeout_s)
        self._accepting: asyncio.Server | None = None
        self._dating: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """From now on connections are accepted."""
        self._date()
        self._accepting = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), sock=self._listener, backlog=BACKLOG
        )

    async def stop(self, leaving_s: float) -> None:
        """Accept no more, end what is idle, give the rest `leaving_s` to take its answers, then cut it."""
        if self._dating is not None:
            self._dating.cancel()
        if self._accepting is not None:
            self._accepting.close()
        for connection in list(self.state.connections):
            connection.shutdown()
        until = time.monotonic() + leaving_s
        while self.state.connections and time.monotonic() < until:  # noqa: ASYNC110 - a set that tells nobody
            await asyncio.sleep(_LEAVING_LOOK_S)
        for connection in list(self.state.connections):
            connection.transport.abort()

    def _date(self) -> None:
        """The header of that name, which every answer has, is made once a second."""
        self.state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        self._dating = asyncio.get_running_loop().call_later(_DATE_S, self._date)


class Connection(HttpToolsProtocol):
    """A client's connection. The head of a request has a size and a time, and what cannot be read is told in JSON."""

    def __init__(self, server: HttpServer) -> None:
        super().__init__(server.settings, server.state, {}, asyncio.get_running_loop())
        self.timeout_keep_alive = server.idle_timeout_s  # type: ignore[assignment]  # it goes to call_later
        self._server = server
        self._in_head = True
        self._unread = 0
        """Bytes that came of a head that is not complete: the parser keeps what is no whole header, however much."""
        self._over = False
        """Whether something came that is no request: nothing more is read."""
        self._extensions: dict[str, Any] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Corked(transport))  # type: ignore[arg-type]  # it has what is used of a transport
        self._extensions = {CUT: transport.abort}
        if len(self.connections) > self._server.connections:
            self._refuse(503, RadixaError("This server has as many connections as it takes. Expected to come again."))
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        if self._over or self.transport.is_closing():
            return
        if self._in_head:
            self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing is upgraded: the request is answered as what it is, and what follows is in no protocol of ours.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            if self._in_head and self._unread > self._server.max_header_bytes:
                self._refuse_the_head()
            else:
                self._refuse(400, _unreadable())
        else:
            if self._in_head and self._unread > self._server.max_header_bytes:
                self._refuse_the_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_headers_complete(self) -> None:
        # A piece that came may hold the body too, and is no measure of the head.
        size = len(self.url) + sum(len(name) + len(value) + _AROUND_A_HEADER for name, value in self.headers)
        self._unread = size
        if size > self._server.max_header_bytes:
            raise ValueError("ends the parser's work; data_received says why")
        self._unset_keepalive_if_required()
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._unread = True, 0

    def _refuse_the_head(self) -> None:
        most = self._server.max_header_bytes
        error = InvalidRequest(
            f"The request's head is over this server's limit of {most} bytes. Expected a shorter one.",
            code="request_headers_too_large",
        )
        self._refuse(431, error)

    def _refuse(self, status: int, error: RadixaError) -> None:
        """Answer what is no whole request, and close. What came whole before it is answered first."""
        self._over = True
        cycle = self.cycle
        waits = cycle is not None and not cycle.response_complete
        if waits and not cycle.more_body:
            cycle.keep_alive = False
            return
        if waits:
            # For whoever waits for its body.
            cycle.disconnected = True
            cycle.message_event.set()
        if not waits or not (cycle.response_started or self.pipeline):
            body = error_json(error)
            head = (
                b"content-type: application/json\r\ncontent-length: %d\r\n"
                b"cache-control: no-store\r\nconnection: close\r\n\r\n" % len(body)
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


class Corked:
    """A transport that writes what comes in one turn of the loop as one: a head and its body are one system call."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._size = 0
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _TOGETHER:
            self._flush()

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts, self._size = self._parts, [], 0
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def close(self) -> None:
        """Once all is written."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._parts = []
        self._transport.abort()


def _unreadable() -> InvalidRequest:
    return InvalidRequest("This is no request that can be read. Expected HTTP/1.1.", code="invalid_http")


def _let_go_of_the_dead(listener: socket.socket, seconds: float) -> None:
    """Let the system end connections whose client takes nothing that was sent for so long, where it can (Linux).

    Accepted connections inherit it.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1e3))
