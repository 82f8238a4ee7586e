"""`/health`, `/ready` and `/metrics`: for whoever runs the server; no key needed."""

from __future__ import annotations

from radixa.core.errors import EngineUnavailable
from radixa.gateway.base import Response, json_response
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway


async def health(gateway: Gateway, request: Request) -> Response:
    """The process answers; whether a model does is `/ready`'s to say."""
    return json_response({"status": "ok"})


async def ready(gateway: Gateway, request: Request) -> Response:
    """200 when a request would be answered; otherwise 503 and why not."""
    if gateway.stopping:
        return json_response({"status": "stopping", "reason": "the server is shutting down"}, 503)
    if not gateway.config.engine.enabled:
        return json_response({"status": "ready", "model": None})
    try:
        local = gateway.local
    except EngineUnavailable as error:
        return json_response({"status": "starting", "reason": error.message}, 503)
    return json_response({"status": "ready", "model": local.name})


async def metrics(gateway: Gateway, request: Request) -> Response:
    waiting = gateway.ledger.waiting
    try:
        local = gateway.local
        text = gateway.metrics.text(await local.engine.stats(), local.name, waiting)
    except EngineUnavailable:
        text = gateway.metrics.text(None, waiting_rows=waiting)
    return Response(text, content_type=b"text/plain; version=0.0.4; charset=utf-8")
