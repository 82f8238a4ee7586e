"""`GET /v1/rate_limits`: of each limit that holds for the caller, what is used, what is left and when it is whole."""

from __future__ import annotations

from typing import Any

from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.limits.base import Bound, bounds_of
from radixa.gateway.limits.scope import Scope
from radixa.gateway.limits.window import Window, empty_in
from radixa.gateway.request import Request
from radixa.gateway.shapes.accounts import RateLimitShape
from radixa.gateway.shapes.base import Listed
from radixa.gateway.state import Gateway
from radixa.store.base import NO_LIMITS


@operation(answer=Listed[RateLimitShape])
async def show(gateway: Gateway, request: Request) -> Response:
    """The account's and the key's own limits, then those of each model; a scope without limits is absent."""
    identity = request.identity
    own = [bound for bound in reversed(bounds_of(identity, "", NO_LIMITS)) if bound.kind != "model"]
    asked: list[tuple[str | None, Bound]] = [(None, bound) for bound in own]
    offers = filter(lambda offer: identity.may_use(offer.id), gateway.catalogue.offers())
    asked += [(offer.id, bounds_of(identity, offer.id, offer.limits)[0]) for offer in offers]
    asked = [(model, bound) for model, bound in asked if bound.limits != NO_LIMITS]
    now, scopes = await gateway.limiter.look([bound for _, bound in asked])
    data = [_body(model, bound, scope, now) for (model, bound), scope in zip(asked, scopes, strict=True)]
    return json_response({"object": "list", "data": data})


def _body(model: str | None, bound: Bound, scope: Scope, now: int) -> dict[str, Any]:
    limits = bound.limits
    running = sum(scope.running.values())
    return {
        "object": "rate_limit",
        "scope": bound.kind,
        "model": model,
        "requests": _left(limits.rpm, scope.requests, now),
        "tokens": _left(limits.tpm, scope.tokens, now),
        "concurrency": None
        if limits.concurrency is None
        else {"limit": limits.concurrency, "used": running, "remaining": max(0, limits.concurrency - running)},
    }


def _left(limit: int | None, window: Window, now: int) -> dict[str, Any] | None:
    """Of a minute's limit; `reset_ms` is how long until all of it is there again."""
    if limit is None:
        return None
    used = window.total
    return {"limit": limit, "used": used, "remaining": max(0, limit - used), "reset_ms": empty_in(window, now)}
