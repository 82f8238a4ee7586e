"""A stand-in for a provider's server: it answers as the provider's documentation says, and fails on demand.

A subclass has the provider's routes and makes its answers; here is what they share: faults, a record of what was asked,
and two ways to run, in the test's own loop (`async with stand_in.running() as url`) or in a thread of its own
(`with stand_in.in_thread() as url`) for clients that block.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from aiohttp import web

FaultKind = Literal[
    "status", "stall", "stall_begun", "stall_middle", "cut", "cut_middle", "end_early", "flood", "malformed",
    "wrong_type", "redirect", "lie", "error_event", "several_lines", "comments",
]  # fmt: skip
"""What goes wrong:

- `status`: an answer of that `status`, with `headers` and `body` (or the provider's own error body);
- `stall`, `stall_begun`, `stall_middle`: silence before the status, after the headers, after `after` events;
- `cut`, `cut_middle`: the connection is cut before the status, or in the middle of the event after `after`;
- `end_early`: the stream ends as if it were complete, after `after` events;
- `flood`: one event that never ends;
- `malformed`: after `after` events, one that is not JSON;
- `wrong_type`: status 200 and a page of HTML;
- `redirect`: to another server;
- `lie`: `usage` in place of the true one, as JSON; empty leaves it out;
- `error_event`: after `after` events, an error in the stream, as the provider sends it;
- `comments`: after `after` events, comments for ever, 100 a second;
- `several_lines`: nothing; but the JSON of each event is on several lines, as server-sent events may have it.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: FaultKind
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: int = 1
    usage: bytes = b""
    then: Literal["once", "always"] = "once"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class StandIn:
    """The base of all stand-ins. `faults` are used up in order, one a request; what comes after them is well."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.faults: list[Fault] = []
        self.left = 0
        """Clients that went before their answer was complete."""
        self.completed = 0
        """Answers that were sent to their end."""
        self.gap_s = 0.0
        """Between two events."""
        self.sent_bytes = 0
        """Of floods."""
        self.connections: set[Any] = set()
        """Every (address, port) that a request came from."""

    # ---- what a provider's stand-in has

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    def error_body(self, status: int) -> bytes:
        """The provider's own error of that status."""
        raise NotImplementedError

    def error_event(self) -> bytes:
        """An error in a stream, as the provider sends it: a complete event."""
        raise NotImplementedError

    # ---- running

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """The server in this loop; its URL, without a path."""
        app = web.Application(client_max_size=64 << 20)
        app.add_routes(self.routes())
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @contextmanager
    def in_thread(self) -> Iterator[str]:
        """The server in a thread and loop of its own; its URL, without a path."""
        started: list[str] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            async with self.running() as url:
                started.append(url)
                ready.set()
                await stop.wait()

        def main() -> None:
            try:
                loop.run_until_complete(serve())
            finally:
                ready.set()
                loop.close()

        thread = threading.Thread(target=main, name="stand-in")
        thread.start()
        ready.wait()
        try:
            yield started[0]
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    # ---- answering

    async def record(self, request: web.Request) -> Recorded:
        """Read a request and keep it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        found = Recorded(request.path, headers, await request.read())
        self.requests.append(found)
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername"))
        return found

    def next_fault(self) -> Fault | None:
        """What goes wrong with the request at hand."""
        if not self.faults:
            return None
        return self.faults[0] if self.faults[0].then == "always" else self.faults.pop(0)

    async def answer(
        self, request: web.Request, fault: Fault | None, *, whole: bytes = b"", events: Sequence[bytes] | None = None
    ) -> web.StreamResponse:
        """Send `whole`, a JSON body, or a stream of `events`, each complete with its blank line; or fail.

        A `lie` is the caller's to tell, since it knows where the usage is.
        """
        try:
            response = await self._answer(request, fault, whole, events)
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise
        self.completed += 1
        return response

    async def _answer(
        self, request: web.Request, fault: Fault | None, whole: bytes, events: Sequence[bytes] | None
    ) -> web.StreamResponse:
        kind = None if fault is None else fault.kind
        if fault is not None:
            if kind == "stall":
                await asyncio.Event().wait()
            elif kind == "cut":
                assert request.transport is not None
                request.transport.abort()
                raise ConnectionResetError
            elif kind == "status":
                body = fault.body or self.error_body(fault.status)
                headers = {"Content-Type": "application/json", **fault.headers}
                return web.Response(status=fault.status, body=body, headers=headers)
            elif kind == "redirect":
                return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"})
            elif kind == "wrong_type":
                return web.Response(text="<html>Welcome to the login page</html>", content_type="text/html")
        if events is None:
            return await self._whole(request, fault, whole)
        return await self._stream(request, fault, events)

    async def _whole(self, request: web.Request, fault: Fault | None, whole: bytes) -> web.StreamResponse:
        kind = None if fault is None else fault.kind
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if kind == "malformed":
            return web.Response(body=b'{"object": ', content_type="application/json")
        if kind in ("stall_begun", "stall_middle", "cut_middle"):
            response.content_length = len(whole)
            await response.prepare(request)
            if kind != "stall_begun":
                await response.write(whole[: len(whole) // 2])
            if kind == "cut_middle":
                await self._cut(request)
            await asyncio.Event().wait()
        return web.Response(body=whole, content_type="application/json")

    async def _stream(self, request: web.Request, fault: Fault | None, events: Sequence[bytes]) -> web.StreamResponse:
        kind = None if fault is None else fault.kind
        at = len(events) if fault is None else fault.after
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if kind == "stall_begun":
            await asyncio.Event().wait()
        for index, event in enumerate([*events, b""]):
            if index == at:
                if kind == "stall_middle":
                    await asyncio.Event().wait()
                elif kind == "cut_middle":
                    await response.write(event[: len(event) // 2])
                    await self._cut(request)
                elif kind == "end_early":
                    return response
                elif kind == "flood":
                    await self._flood(response)
                elif kind == "comments":
                    while True:
                        await response.write(b": still here\n\n")
                        await asyncio.sleep(0.01)
                elif kind == "malformed":
                    await response.write(b'data: {"object": \n\n')
                elif kind == "error_event":
                    await response.write(self.error_event())
                    return response
            if event:
                await response.write(event.replace(b",", b",\ndata: ") if kind == "several_lines" else event)
            if self.gap_s:
                await asyncio.sleep(self.gap_s)
        return response

    async def _flood(self, response: web.StreamResponse) -> None:
        piece = b"x" * 65_536
        await response.write(b'data: {"x": "')
        while True:
            await response.write(piece)
            self.sent_bytes += len(piece)
            await asyncio.sleep(0)

    async def _cut(self, request: web.Request) -> None:
        # What was written is to arrive first: the client reads it in its next turn.
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError


async def until(condition: Any, within_s: float = 10.0) -> None:
    """Wait until `condition()` holds; AssertionError where it does not in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while not condition():
        assert loop.time() < end, "it did not come to pass in time"
        await asyncio.sleep(0.005)
