"""`/health`, `/ready` and `/metrics`: for whoever runs the server; no key needed."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from radixa.core.errors import EngineUnavailable
from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.request import Request
from radixa.gateway.shapes.base import HealthShape
from radixa.gateway.state import Gateway

_PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    status: Literal["ready", "starting", "stopping", "unavailable"]
    model: str | UnsetType | None = UNSET
    """The engine's own, null where the server has none."""
    reason: str | UnsetType = UNSET


@operation(answer=HealthShape)
async def health(gateway: Gateway, request: Request) -> Response:
    """The process answers; whether a model does is `/ready`'s to say."""
    return json_response({"status": "ok"})


@operation(others={503: Readiness}, answer=Readiness)
async def ready(gateway: Gateway, request: Request) -> Response:
    """200 when a request would be answered; otherwise 503 and why not."""
    if gateway.stopping:
        return json_response(Readiness("stopping", reason="the server is shutting down"), 503)
    name: str | None = None
    if gateway.config.engine.enabled:
        try:
            name = gateway.local.name
        except EngineUnavailable as error:
            return json_response(Readiness("starting", reason=error.message), 503)
    if not await gateway.reachable():
        # What it said may name hosts and users, and is in the log.
        missing = f"the database ({gateway.store.engine.dialect.name}) does not answer"
        return json_response(Readiness("unavailable", reason=missing), 503)
    return json_response(Readiness("ready", name))


@operation(answer=str, content_type="text/plain")
async def metrics(gateway: Gateway, request: Request) -> Response:
    """Figures as Prometheus reads them."""
    waiting = gateway.ledger.waiting
    if not gateway.config.engine.enabled:
        return Response(gateway.metrics.text(None, waiting_rows=waiting), content_type=_PROMETHEUS)
    try:
        local = gateway.local
        text = gateway.metrics.text(await local.engine.stats(), local.name, waiting)
    except EngineUnavailable:
        text = gateway.metrics.text(None, waiting_rows=waiting)
    return Response(text, content_type=_PROMETHEUS)
