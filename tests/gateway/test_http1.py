"""The HTTP/1.1 server by itself, on the loop it is used on: what raw clients may send, and what becomes of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from radixa.core.config import ServerConfig
from radixa.gateway.address import take
from radixa.gateway.asgi import Receive, Scope, Send
from radixa.gateway.http1 import HttpServer

PLAIN = b"GET /plain HTTP/1.1\r\nhost: x\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST /body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
OFFERS = (
    b"POST /body HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
    b"http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
"""As the HTTP client of the JDK offers HTTP/2 with its first request."""


class Place:
    """A server over an application that answers with what it read, or waits until the client leaves."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.left: list[str] = []
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.failures: list[dict[str, Any]] = []
        self.go = asyncio.Event()
        """Lets those that wait answer."""

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        self.begun.append(path)
        self.headers.append(scope["headers"])
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.append(path)
                return
            body += message["body"]
            if not message["more_body"]:
                break
        if path == "/wait":
            leaving, going = asyncio.ensure_future(receive()), asyncio.ensure_future(self.go.wait())
            await asyncio.wait({leaving, going}, return_when=asyncio.FIRST_COMPLETED)
            going.cancel()
            if leaving.done():
                self.left.append(path)
                return
            leaving.cancel()
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def answers(self, *sent: bytes) -> bytes:
        """All that comes back for `sent`, which goes piece by piece, until the server ends the connection."""
        reader, writer = await self.connect()
        for piece in sent:
            writer.write(piece)
            await asyncio.sleep(0.01)
        got = await reader.read()
        writer.close()
        return got

    port = 0


def within(work: Callable[[Place], Awaitable[None]], **settings: Any) -> None:
    """Run `work` beside a server, which says what it could not do nowhere but in its log."""

    async def main() -> None:
        place = Place()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: place.failures.append(context))
        config = ServerConfig(**{"idle_timeout_s": 0.2, "max_header_bytes": 8192, **settings})
        address = take("127.0.0.1", 0, auth=True)
        with address.listener:
            place.port = address.port
            server = HttpServer(place.app, address.listener, config, 3)
            await server.start()
            try:
                async with asyncio.timeout(10):
                    await work(place)
            finally:
                await server.stop(1.0)
            assert not server.state.connections
        assert place.failures == []

    uvloop.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


def statuses(got: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", got)]


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n",
        b"content-length: 4\r\ncontent-length: 4\r\n",
        b"content-length: +4\r\n",
        b"content-length: 4, 4\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        b"x: a\r\n b\r\n",
        b"x: a\0b\r\n",
        b"x: a\n",
    ],
)
def test_what_two_servers_could_read_in_two_ways_is_refused(head: bytes) -> None:
    async def work(place: Place) -> None:
        got = await place.answers(b"POST /body HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n0\r\n\r\n" + PLAIN)
        assert statuses(got) == [400]
        # What has a head that can be read may have been begun, and is over.
        await until(lambda: place.begun == place.left)

    within(work)


@pytest.mark.parametrize("rest", [b"zz\r\n", b"4\nabcd\r\n0\r\n\r\n", b"4\r\nabcdXX0\r\n\r\n", b"f" * 17 + b"\r\n"])
def test_a_body_that_cannot_be_read_is_refused_once_and_what_came_before_it_answered(rest: bytes) -> None:
    async def work(place: Place) -> None:
        assert statuses(await place.answers(CHUNKED + rest)) == [400]
        await until(lambda: place.begun == place.left)
        place.begun.clear()
        for pieces in ((PLAIN + CHUNKED + rest,), (PLAIN + CHUNKED, rest)):
            # The second of a pipeline may have been begun by the time its body comes.
            assert statuses(await place.answers(*pieces))[0] == 200
        reader, writer = await place.connect()
        writer.write(WAIT + PLAIN + CHUNKED + rest)
        await until(lambda: "/wait" in place.begun)
        place.go.set()
        assert statuses(await reader.read()) == [200, 200]
        writer.close()

    within(work)


@pytest.mark.parametrize("more", [b"", PLAIN, WAIT, CHUNKED + b"4\r\nab", b"GET /pl", PLAIN + b"POST /x HT", PLAIN * 9])
def test_a_client_that_leaves_is_noticed_whatever_else_it_sent(more: bytes) -> None:
    async def work(place: Place) -> None:
        for pieces in ((WAIT + more,), (WAIT, more), (WAIT + PLAIN, more)):
            place.begun, place.left = [], []
            _, writer = await place.connect()
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.01)
            await until(lambda: bool(place.begun))
            writer.close()
            await until(lambda: place.left == ["/wait"])
            # What waited is not begun for nobody.
            assert place.begun == ["/wait"]

    within(work)


def test_a_client_that_ends_its_half_has_left() -> None:
    async def work(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(WAIT)
        await until(lambda: bool(place.begun))
        writer.write_eof()
        await until(lambda: bool(place.left))
        assert await reader.read() == b""
        writer.close()

    within(work)


def test_many_requests_at_once_are_answered_in_order_and_held_in_bounds() -> None:
    async def work(place: Place) -> None:
        reader, writer = await place.connect()
        head = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
        requests = [head + b"%0100000d" % n for n in range(200)]
        writer.write(WAIT + b"".join(requests))
        await until(lambda: bool(place.begun))
        await asyncio.sleep(0.05)
        # The client's own buffer holds the rest: it is not read while the first is answered.
        assert writer.transport.get_write_buffer_size() > 0
        assert len(place.begun) == 1
        place.go.set()
        got = await reader.read()
        assert len(statuses(got)) == 201
        assert [int(body[-5:]) for body in re.findall(rb"\r\n\r\n(\d{100000})", got)] == list(range(200))
        writer.close()

    within(work)


@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize(
    "body", [b"content-length: 4\r\n\r\nabcd", b"transfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"]
)
def test_a_request_that_offers_to_upgrade_keeps_its_body(body: bytes, pieces: int) -> None:
    async def work(place: Place) -> None:
        sent = OFFERS + body
        cut = [0, *(len(sent) * part // pieces for part in range(1, pieces)), len(sent)]
        parts = [sent[a:b] for a, b in pairwise(cut)]
        got = await place.answers(*parts[:-1], parts[-1] + PLAIN)
        assert statuses(got) == [200, 200]
        assert b"\r\n\r\nabcdHTTP/1.1" in got
        assert all(name != b"upgrade" for name, _ in place.headers[0])

    within(work)


def test_nothing_is_read_after_connect() -> None:
    async def work(place: Place) -> None:
        assert len(statuses(await place.answers(b"CONNECT /plain HTTP/1.1\r\nhost: x\r\n\r\n", PLAIN))) == 1
        assert statuses(await place.answers(b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n" + PLAIN)) == [400]

    within(work)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [(b"0\r\n", b"x: " + b"y" * 1000 + b"\r\n"), (b"0\r\nx: ", b"y" * 1000), (b"4", b";a" * 500), (b"0", b";a" * 500)],
    ids=["trailers", "a trailer", "an extension", "an extension of the last"],
)
def test_what_stands_around_a_body_has_a_bound(begin: bytes, piece: bytes) -> None:
    async def work(place: Place) -> None:
        reader, writer = await place.connect()
        writer.write(CHUNKED + b"4\r\nabcd\r\n" + begin)
        told = asyncio.create_task(reader.readuntil(b"\r\n"))
        while not told.done():
            writer.write(piece)
            await asyncio.sleep(0.001)
        assert statuses(told.result()) == [400]
        writer.close()

    within(work)


def test_a_trailer_is_no_header() -> None:
    async def work(place: Place) -> None:
        got = await place.answers(CHUNKED + b"4\r\nabcd\r\n0\r\nauthorization: Bearer of another\r\n\r\n" + PLAIN)
        assert statuses(got) == [200, 200]
        assert place.headers[0] == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]

    within(work)


def test_a_further_connection_is_refused_and_taken_again_when_one_ends() -> None:
    async def work(place: Place) -> None:
        held = [await place.connect() for _ in range(3)]
        assert statuses(await place.answers(PLAIN)) == [503]
        held[0][1].close()
        while statuses(await place.answers(PLAIN)) != [200]:
            pass
        for _, writer in held[1:]:
            writer.close()

    within(work, idle_timeout_s=0.5)


def test_connections_opened_and_dropped_leave_nothing() -> None:
    async def work(place: Place) -> None:
        before = len(asyncio.all_tasks())
        for sent in (b"", b"GET /pl", PLAIN, WAIT, WAIT + PLAIN, CHUNKED + b"4\r\nab") * 20:
            _, writer = await place.connect()
            writer.write(sent)
            await asyncio.sleep(0)
            writer.transport.abort()
        await until(lambda: len(asyncio.all_tasks()) <= before)

    within(work)
