"""The HTTP/1.1 server by itself, on the loop it is used on: what raw clients may send, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
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
CLOSE = b"connection: close\r\n\r\n"
PARTS = [b"one ", b"two ", b"three"]


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
        if path == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            for part in PARTS:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
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


@pytest.mark.parametrize("head", [b"", b"host: x\r\n", b"host: x\r\nconnection: keep-alive\r\n"])
def test_a_stream_to_a_client_that_knows_no_chunks_is_bare_and_ends_with_the_connection(head: bytes) -> None:
    async def work(place: Place) -> None:
        got = await place.answers(b"GET /stream HTTP/1.0\r\n" + head + b"\r\n" + PLAIN)
        head_of_it, _, body = got.partition(b"\r\n\r\n")
        assert statuses(got) == [200]
        assert b"transfer-encoding" not in head_of_it.lower()
        assert b"connection: close" in head_of_it.lower()
        assert body == b"".join(PARTS)
        # One of HTTP/1.1 still has chunks, and its connection lasts.
        got = await place.answers(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\nGET /plain HTTP/1.1\r\nhost: x\r\n" + CLOSE)
        assert statuses(got) == [200, 200]
        assert b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n" in got

    within(work)


def test_what_else_such_a_client_is_told() -> None:
    async def work(place: Place) -> None:
        got = await place.answers(b"HEAD /stream HTTP/1.0\r\n\r\n")
        assert statuses(got) == [200]
        assert got.endswith(b"\r\n\r\n")
        post = b"POST /body HTTP/1.0\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n"
        got = await place.answers(post, b"abcd")
        assert statuses(got) == [200]
        assert got.endswith(b"\r\n\r\nabcd")

    within(work)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"host: x\r\nhost: x\r\n", "The request has 2 Host headers."),
        (b"host: x\r\nHOST: y\r\n", "The request has 2 Host headers."),
        (b"accept: */*\r\n", "The request has no Host header"),
        (b"host: x y\r\n", "names no host"),
        (b"host: http://x\r\n", "names no host"),
        (b"host: x:port\r\n", "names no host"),
        (b"host: a@b\r\n", "names no host"),
        (b"host: [::1\r\n", "names no host"),
        (b"host: \xc3\xa9\r\n", "names no host"),
    ],
)
def test_a_request_says_once_which_host_it_is_for(head: bytes, said: str) -> None:
    async def work(place: Place) -> None:
        for line in (b"GET /plain HTTP/1.1\r\n", b"GET http://x/plain HTTP/1.1\r\n"):
            got = await place.answers(line + head + b"\r\n" + PLAIN)
            assert statuses(got) == [400]
            assert b"connection: close" in got
            error = json.loads(got.partition(b"\r\n\r\n")[2])["error"]
            assert said in error["message"]
            assert "Expected" in error["message"]
            assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "invalid_host")
        assert place.begun == []
        # What came before it is answered.
        assert statuses(await place.answers(PLAIN, b"GET /plain HTTP/1.1\r\n" + head + b"\r\n")) == [200, 400]

    within(work)


@pytest.mark.parametrize(
    "host",
    [b"", b"localhost", b"localhost:8000", b"127.0.0.1:80", b"[::1]:8000", b"[fe80::1%25eth0]", b"a_b.c:", b"x \t"],
)
def test_hosts_that_there_can_be(host: bytes) -> None:
    async def work(place: Place) -> None:
        for version in (b"1.0", b"1.1"):
            got = await place.answers(b"GET /plain HTTP/" + version + b"\r\nhost: " + host + b"\r\n" + CLOSE)
            assert statuses(got) == [200]

    within(work)


def test_two_hosts_are_one_too_many_for_old_clients_too() -> None:
    async def work(place: Place) -> None:
        assert statuses(await place.answers(b"GET /plain HTTP/1.0\r\nhost: x\r\nhost: x\r\n\r\n")) == [400]
        assert statuses(await place.answers(b"GET /plain HTTP/1.0\r\nhost: x y\r\n\r\n")) == [400]

    within(work)
