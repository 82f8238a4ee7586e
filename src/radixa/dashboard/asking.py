"""A route of the gateway, asked from within the process as the visitor: the same rules and errors as over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from radixa.gateway.asgi import Scope
from radixa.gateway.auth import Identity
from radixa.gateway.base import Handler, Response, encode
from radixa.gateway.request import Request
from radixa.gateway.routes import every_route
from radixa.gateway.state import Gateway

_decode = msgspec.json.decode
_WAIT_S = 10.0
_ADMINS = frozenset(id(operation) for route in every_route() if route.admin for operation in route.methods.values())
"""What is for administrators: over HTTP it is their routes that say so."""


async def ask(
    gateway: Gateway,
    visit: Request,
    identity: Identity | None,
    handler: Handler,
    *,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    argument: str = "",
) -> Any:
    """What `handler` answers to `identity`, decoded. RadixaError as it raises it.

    The route's request has the id of the visitor's, by which the audit log knows it, and their address.
    """
    if identity is not None and id(handler) in _ADMINS:
        identity.check_admin()
    sent = b"" if body is None else encode(body)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    scope: Scope = {
        "type": "http",
        "method": "GET" if body is None else "POST",
        "path": visit.path,
        "query_string": urlencode(query or {}).encode(),
        "headers": [],
        "client": (visit.address, 0) if visit.address else None,
    }
    request = Request(scope, receive, _WAIT_S)
    request.id = visit.id
    request.argument = argument
    if identity is not None:
        request.identity = identity
    answer = await handler(gateway, request)
    assert isinstance(answer, Response)
    return _decode(answer.body)
