"""The ASGI application: finds the route, checks the key, runs the handler, sends what it returns.

Raw ASGI, because every request passes here: no framework between the server and the handlers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from math import ceil

from radixa.core.errors import (
    EngineUnavailable,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RadixaError,
    StoreUnavailable,
    UpstreamError,
)
from radixa.gateway.asgi import Header, Receive, Scope, Send
from radixa.gateway.base import EventStream, Response, Route, RouteTable
from radixa.gateway.cors import Cors
from radixa.gateway.logs import REQUEST_ID, AccessLog, no_access_log
from radixa.gateway.loopback import check_local
from radixa.gateway.pace import PacedSend
from radixa.gateway.request import CLIENT_LEFT, ClientLeft, Request
from radixa.gateway.routes import PREFIXES, ROUTES
from radixa.gateway.state import Gateway
from radixa.gateway.telemetry.base import NO_TELEMETRY, Telemetry
from radixa.store.database import does_not_answer

log = logging.getLogger("radixa.gateway")

_UNKNOWN = Route("unknown", {}, open=True)
_ENDING_S = 5.0
"""How long an answer that the end of the server interrupts may take to say so."""

_USUAL: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""Headers of every answer that says nothing else there."""


class App:
    """An ASGI 3 application over one gateway."""

    def __init__(
        self,
        gateway: Gateway,
        telemetry: Telemetry = NO_TELEMETRY,
        access_log: AccessLog = no_access_log,
        mounted: RouteTable | None = None,
    ) -> None:
        """`mounted`: routes beside the gateway's own."""
        self.gateway = gateway
        self._telemetry = telemetry
        self._access_log = access_log
        self._cors = Cors(gateway.config.server.cors_origins)
        self._tables = (RouteTable(ROUTES, PREFIXES), mounted or RouteTable())
        self._running: set[asyncio.Task[object]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        config = self.gateway.config.server
        request = Request(scope, receive, config.body_timeout_s)
        REQUEST_ID.set(request.id)
        send = paced = PacedSend(send, request, config.write_timeout_s)
        route = self._find(request)
        status = CLIENT_LEFT
        self.gateway.metrics.running.inc()
        span = self._telemetry.begin(request, route.name)
        try:
            answer = await self._answer(route, request)
            if isinstance(answer, EventStream):
                status = await self._stream(answer, route, request, send)
            else:
                status = answer.status
                await self._send(answer, request, send)
        except ClientLeft:
            # The HTTP server says the same of a client that is there and sent a body it could not read.
            await self._send(_failure(_broken_off(), route, request), request, send)
        except asyncio.CancelledError:
            if not request.left:
                raise
        finally:
            try:
                await request.close()
            finally:
                paced.close()
                self._running.discard(task)
                seconds = time.perf_counter() - request.started
                self.gateway.metrics.running.dec()
                self.gateway.metrics.request(request, route.name, status, seconds, slow=paced.late)
                span.end(status, seconds)
                self._access_log(request, route.name, status, seconds)

    async def drain(self, grace_s: float) -> None:
        """Take no new work, and wait for what runs; after `grace_s` end it with an error that says why."""
        self.gateway.stopping = True
        running = {task for task in self._running if not task.done()}
        if running:
            await asyncio.wait(running, timeout=grace_s)
        late = {task for task in running if not task.done()}
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_ENDING_S)

    def _find(self, request: Request) -> Route:
        """The route of the request's path; a trailing slash is forgiven."""
        path = request.path.rstrip("/") if len(request.path) > 1 else request.path
        for table in self._tables:
            found = table.find(path)
            if found is not None:
                route, request.argument = found
                return route
        return _UNKNOWN

    async def _answer(self, route: Route, request: Request) -> Response | EventStream:
        try:
            if not self.gateway.config.server.auth:
                check_local(request, forms=route.forms)
            if route is _UNKNOWN:
                raise NotFound(f"Invalid URL ({request.method} {request.path})", code="unknown_url")
            if request.method == "OPTIONS":
                return Response(b"", 204, headers=(_allow(route), *self._cors.preflight(request, _allow(route)[1])))
            handler = route.methods.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                raise MethodNotAllowed(
                    f"Not allowed to {request.method} on {request.path}. Expected {_names(route)}.",
                    code="method_not_supported",
                )
            if not route.open:
                if self.gateway.stopping:
                    raise EngineUnavailable("The server is shutting down.")
                request.identity = await self.gateway.keys.identify(
                    request.header(b"authorization"), request.header(b"x-api-key")
                )
                if route.admin:
                    request.identity.check_admin()
            return await handler(self.gateway, request)
        except RadixaError as error:
            return _failure(error, route, request)
        except asyncio.CancelledError:
            if request.left or not self.gateway.stopping:
                raise
            return _failure(_interrupted(), route, request)
        except ClientLeft:
            raise
        except Exception as error:
            if does_not_answer(error):
                log.warning("request %s: the database does not answer: %s", request.id, error)
                return _failure(StoreUnavailable("The database does not answer."), route, request)
            log.exception("request %s (%s %s) failed", request.id, request.method, request.path)
            return _failure(_unexpected(request), route, request)

    async def _send(self, answer: Response, request: Request, send: Send) -> None:
        headers = [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
        if answer.status == 204:
            headers = []
        await send(self._head(answer.status, [*headers, *answer.headers], request))
        body = b"" if request.method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _stream(self, answer: EventStream, route: Route, request: Request, send: Send) -> int:
        """Send the events; returns the status under which metrics count the request."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send(self._head(200, [*headers, *answer.headers], request))
        if request.method == "HEAD":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return 200
        status, last = 200, b""
        try:
            async for event in answer.events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        except RadixaError as error:
            status, last = error.status, route.errors.event(error, request.id)
        except asyncio.CancelledError:
            if request.left or not self.gateway.stopping:
                raise
            interrupted = _interrupted()
            status, last = interrupted.status, route.errors.event(interrupted, request.id)
        except Exception as error:
            failure = _unexpected(request)
            if does_not_answer(error):
                log.warning("request %s: the database does not answer: %s", request.id, error)
                failure = StoreUnavailable("The database does not answer.")
            else:
                log.exception("request %s (%s %s) failed in mid-stream", request.id, request.method, request.path)
            status, last = failure.status, route.errors.event(failure, request.id)
        await send({"type": "http.response.body", "body": last, "more_body": False})
        return status

    def _head(self, status: int, headers: list[Header], request: Request) -> dict[str, object]:
        """The start of an answer, with the headers that every answer has."""
        milliseconds = int((time.perf_counter() - request.started) * 1e3)
        said = {name for name, _ in headers}
        headers += [usual for usual in _USUAL if usual[0] not in said]
        headers += [
            (b"x-request-id", request.id.encode()),
            # The same, as Anthropic calls it.
            (b"request-id", request.id.encode()),
            (b"openai-processing-ms", b"%d" % milliseconds),
            (b"openai-version", b"2020-10-01"),
            *self._cors.headers(request),
        ]
        return {"type": "http.response.start", "status": status, "headers": headers}


def _failure(error: RadixaError, route: Route, request: Request) -> Response:
    headers = error.headers
    if error.status == 405:
        headers = (*headers, _allow(route))
    elif error.status == 408:
        # What is left of the body may still come, and is no next request.
        headers = (*headers, (b"connection", b"close"))
    elif error.status == 503 and not headers:
        wait_s = max(1.0, (error.retry_after or 0.0) if isinstance(error, UpstreamError) else 0.0)
        headers = ((b"retry-after", b"%d" % ceil(wait_s)), (b"retry-after-ms", b"%d" % ceil(wait_s * 1e3)))
    shape = route.errors
    return Response(shape.body(error, request.id), shape.status(error), shape.content_type, headers)


def _broken_off() -> InvalidRequest:
    return InvalidRequest(
        "The request's body broke off, or is not in the transfer coding that its headers name. Expected as many bytes "
        "as Content-Length says, or chunks as HTTP/1.1 has them."
    )


def _interrupted() -> EngineUnavailable:
    return EngineUnavailable("The server is shutting down, and this answer could not be finished.")


def _unexpected(request: Request) -> RadixaError:
    return RadixaError(
        f"The server had an error while processing your request. Its log has more under the request id {request.id}."
    )


def _names(route: Route) -> str:
    return " or ".join(route.methods)


def _allow(route: Route) -> Header:
    names = [*route.methods, *(["HEAD"] if "GET" in route.methods else []), "OPTIONS"]
    return (b"allow", ", ".join(names).encode())
