"""What the gateway's routes are written in: a request, what answers it, and who asks.

An HTTP request becomes a `Request`; the table of routes names a handler for it; the handler returns a `Response`, or
an `EventStream` whose first event is already certain, or raises a `RadixaError`, which the app puts in OpenAI's shape.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from radixa.gateway.asgi import Header
from radixa.gateway.errors import OPENAI_ERRORS, ErrorShape

if TYPE_CHECKING:
    from radixa.gateway.request import Request
    from radixa.gateway.state import Gateway


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that is complete. `headers` are lower-case; those that every answer has are added by the app."""

    body: bytes
    status: int = 200
    content_type: bytes = b"application/json"
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class EventStream:
    """An answer of server-sent events. A `RadixaError` out of `events` is sent as one more event, and ends it."""

    events: AsyncIterator[bytes]
    headers: tuple[Header, ...] = ()


Handler = Callable[["Gateway", "Request"], Awaitable[Response | EventStream]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a query's parameters: `kind` is the type of its value, with its bounds."""

    name: str
    says: str
    kind: Any = str


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler, and what it takes and answers with, from which `/openapi.json` is made (`openapi.py`)."""

    handler: Handler
    body: tuple[type, ...] = ()
    """The type that its decoder reads; several where the body decides which, none where it reads no body."""
    body_required: bool = True
    query: tuple[Parameter, ...] = ()
    answer: Any = dict[str, Any]
    streams: bool = False
    """Whether the body may ask for server-sent events."""
    events: Mapping[str, Any] = field(default_factory=dict)
    """What server-sent events hold, by their names, where the answer is nothing else."""
    content_type: str = "application/json"
    errors: tuple[int, ...] = ()
    """Statuses it may answer with, besides those that every route with a key or with a body has."""
    forwards: bool = False
    """Whether a provider answers it, whose refusals keep their status."""
    others: Mapping[int, Any] = field(default_factory=dict)
    """Answers that are neither a success nor an error in the usual shape, by their status."""

    def __call__(self, gateway: Gateway, request: Request) -> Awaitable[Response | EventStream]:
        return self.handler(gateway, request)


def operation(
    *,
    body: tuple[type, ...] = (),
    body_required: bool = True,
    query: tuple[Parameter, ...] = (),
    answer: Any = dict[str, Any],
    streams: bool = False,
    content_type: str = "application/json",
    errors: tuple[int, ...] = (),
    forwards: bool = False,
    others: Mapping[int, Any] | None = None,
    events: Mapping[str, Any] | None = None,
) -> Callable[[Handler], Operation]:
    """Makes an `Operation` of the handler below it; its docstring becomes the operation's text."""
    return lambda handler: Operation(
        handler, body, body_required, query, answer, streams, events or {}, content_type, errors, forwards, others or {}
    )


@dataclass(frozen=True, slots=True)
class Route:
    """A path, by the methods it has. `name` is the path as metrics write it."""

    name: str
    methods: dict[str, Operation]
    open: bool = False
    """It needs no key."""
    admin: bool = False
    """It needs an administrator's."""
    errors: ErrorShape = OPENAI_ERRORS
    forms: bool = False
    """Its bodies may be forms, of which it finds out by itself whether a page of ours sent them."""


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Routes by their whole path; then those of paths with an id between a beginning and an end, in that order."""

    whole: Mapping[str, Route] = field(default_factory=dict)
    prefixes: tuple[tuple[str, str, Route], ...] = ()

    def find(self, path: str) -> tuple[Route, str] | None:
        """The path's route, and the id in it."""
        route = self.whole.get(path)
        if route is not None:
            return route, ""
        for prefix, suffix, candidate in self.prefixes:
            if path.startswith(prefix) and path.endswith(suffix) and len(path) > len(prefix) + len(suffix):
                return candidate, path[len(prefix) : len(path) - len(suffix)]
        return None


encode = msgspec.json.Encoder().encode
"""Anything the gateway answers with, as JSON."""


def json_response(body: Any, status: int = 200) -> Response:
    return Response(encode(body), status)


def served_by(model: str) -> tuple[Header, ...]:
    """The header that names the model which really answered."""
    return ((b"x-radixa-served-by", model.encode("ascii", "replace")),)
