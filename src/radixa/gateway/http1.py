"""The HTTP/1.1 server: uvicorn's protocol over llhttp, on this process's own loop, with bounds that it does not have.

Nothing of it runs in another thread: a request is handed to the application without a turn with the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from email.utils import formatdate
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from radixa.core.config import ServerConfig
from radixa.core.errors import InvalidRequest, RadixaError
from radixa.gateway.address import BACKLOG
from radixa.gateway.asgi import CUT, Application
from radixa.gateway.bare import bare
from radixa.gateway.corked import Corked
from radixa.gateway.errors import error_json

_AHEAD = 64 * 1024
"""Bytes after requests that wait for the one before them, from which on nothing more is read."""
_DATE_S = 1.0
_LEAVING_LOOK_S = 0.02
_AROUND_A_HEADER = len(b": \r\n")
_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%~_-]+\]|[0-9A-Za-z._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?")
"""A name, an IPv4 or IPv6 address or nothing, and perhaps a port (RFC 9110, 7.2)."""
_CHUNKS_SINCE = "1.1"
"""The version of HTTP that brought chunks, lasting connections and `100 Continue`."""


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
    """A client's connection. The head of a request has a size and a time, and what cannot be read is told in JSON.

    A client that ends its half of the connection has left, and the work for it ends: most who leave give no other sign.
    """

    def __init__(self, server: HttpServer) -> None:
        super().__init__(server.settings, server.state, {}, asyncio.get_running_loop())
        self.timeout_keep_alive = server.idle_timeout_s  # type: ignore[assignment]  # it goes to call_later
        self._server = server
        self._in_head = True
        self._unread = 0
        """Bytes that came since the last of a body: of a head that is not complete, or around the pieces of a body. The
        parser keeps what is no whole header, however much."""
        self._over = False
        """Whether something came that is no request: nothing more is read."""
        self._wrong: InvalidRequest | None = None
        """What is wrong with a head that the parser could read."""
        self._running: RequestResponseCycle | None = None
        """The request that is answered now, or was last; `cycle` is the last that came."""
        self._ahead = bytearray()
        """What came after requests that wait."""
        self._upgrade = False
        """Whether the request that comes offers another protocol."""
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
        if self._running is not None and not self._running.response_complete:
            _gone(self._running)

    def data_received(self, data: bytes) -> None:
        if self._over or self.transport.is_closing():
            return
        if not self.pipeline:
            self._read(data)
            return
        # Only who goes on reading sees a client leave.
        self._ahead += data
        if len(self._ahead) > _AHEAD:
            self.flow.pause_reading()

    def _read(self, data: bytes) -> None:
        self._unread += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            if self._upgrade:
                self._read_without_upgrade(data[stopped.args[0] :])
            else:
                # To CONNECT: it is refused, and what follows is in no protocol of ours.
                self.cycle.keep_alive = False
                self._over = True
        except httptools.HttpParserError:
            self._refuse_what_came()
        else:
            if self._unread > self._server.max_header_bytes:
                self._refuse_what_came()
            elif self.pipeline:
                self.flow.resume_reading()

    def _read_without_upgrade(self, rest: bytes) -> None:
        """The parser stops at an offer to upgrade and leaves the body out. Nothing is upgraded here, and some clients
        offer it with each first request: it is read again as what it is without that."""
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._upgrade, self._in_head, self._unread = False, True, 0
        self._read(b"\r\n".join([*lines, b"", rest]))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        # One after a chunked body is of no use here, and may be one that a proxy would have taken away.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # A piece that came may hold the body too, and is no measure of the head.
        size = len(self.url) + sum(len(name) + len(value) + _AROUND_A_HEADER for name, value in self.headers)
        self._unread = size
        if size > self._server.max_header_bytes:
            raise ValueError("ends the parser's work; _read says why")
        # The parser leaves the blanks behind a value, which are none of it.
        hosts = [value.strip(b" \t") for name, value in self.headers if name == b"host"]
        self._wrong = _wrong_host(hosts, self._version)
        if self._wrong is not None:
            raise ValueError("ends the parser's work; _read says why")
        self._upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._upgrade:
            return
        self._unset_keepalive_if_required()
        self._in_head, self._unread = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._upgrade:
            super().on_message_complete()
            self._in_head, self._unread = True, 0

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, bare(app, cycle) if cycle.scope["http_version"] < _CHUNKS_SINCE else app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._ahead and not self.pipeline and not self.transport.is_closing():
            ahead, self._ahead = bytes(self._ahead), bytearray()
            self._read(ahead)

    def _refuse_what_came(self) -> None:
        most = self._server.max_header_bytes
        if self._in_head and self._unread > most:
            said = f"The request's head is over this server's limit of {most} bytes. Expected a shorter one."
            self._refuse(431, InvalidRequest(said, code="request_headers_too_large"))
        else:
            self._refuse(400, self._wrong or _unreadable())

    @property
    def _version(self) -> str:
        """Of HTTP, as the request's head says."""
        return str(self.parser.get_http_version())

    def _refuse(self, status: int, error: RadixaError) -> None:
        """Answer what is no whole request, and close. What came whole before it is answered first."""
        self._over = True
        last: RequestResponseCycle | None = self.cycle
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()
            last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None and not last.response_complete:
            if not last.more_body:
                last.keep_alive = False
                return
            _gone(last)
        if self._in_head or last is None or not last.response_started:
            body = error_json(error)
            head = (
                b"content-type: application/json\r\ncontent-length: %d\r\n"
                b"cache-control: no-store\r\nconnection: close\r\n\r\n" % len(body)
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


def _gone(cycle: RequestResponseCycle) -> None:
    """Tell who answers it that no more of it comes, and nothing reaches its client."""
    cycle.disconnected = True
    cycle.message_event.set()


def _unreadable() -> InvalidRequest:
    return InvalidRequest("This is no request that can be read. Expected HTTP/1.1.", code="invalid_http")


def _wrong_host(hosts: list[bytes], version: str) -> InvalidRequest | None:
    """What is wrong with a request that has these Host headers (RFC 9112, 3.2), None where nothing is.

    Two servers on the way could each go by another one, and so could what decides who may ask.
    """
    expected = "Expected one, such as `Host: localhost:8000`."
    if len(hosts) > 1:
        return InvalidRequest(f"The request has {len(hosts)} Host headers. {expected}", code="invalid_host")
    if not hosts:
        said = f"The request has no Host header, which HTTP/1.1 asks for. {expected}"
        return InvalidRequest(said, code="invalid_host") if version >= _CHUNKS_SINCE else None
    if _HOST.fullmatch(hosts[0]) is None:
        said = "The request's Host header names no host. Expected a name or an address, and perhaps a port."
        return InvalidRequest(said, code="invalid_host")
    return None


def _let_go_of_the_dead(listener: socket.socket, seconds: float) -> None:
    """Let the system end connections whose client takes nothing that was sent for so long, where it can (Linux).

    Accepted connections inherit it.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1e3))
