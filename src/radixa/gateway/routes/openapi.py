"""`GET /openapi.json`: the server's own description, for clients, generators and testers; no key needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from radixa.gateway.base import Operation, Response, Route, encode, operation
from radixa.gateway.openapi import describe
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


def showing(routes: Callable[[], Iterable[Route]]) -> Operation:
    """Describes `routes`, this one among them, once it is asked for."""

    @cache
    def described() -> bytes:
        return encode(describe(routes()))

    @operation()
    async def show(gateway: Gateway, request: Request) -> Response:
        """This description."""
        return Response(described())

    return show
