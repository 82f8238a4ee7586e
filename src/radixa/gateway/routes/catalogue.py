"""`/v1/catalogue`: every entry of the catalogue, offered or not, changed while the server runs. For administrators."""

from __future__ import annotations

from typing import Any

import msgspec

from radixa.core.config import ModelEntry
from radixa.core.errors import NotFound, shown
from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.catalogue.changes import EntryBody, read
from radixa.gateway.request import Request
from radixa.gateway.routes.fields import actor
from radixa.gateway.shapes.base import Listed
from radixa.gateway.shapes.models import EntryShape, RemovedEntryShape
from radixa.gateway.state import Gateway


@operation(answer=Listed[EntryShape])
async def index(gateway: Gateway, request: Request) -> Response:
    """Every entry, those that ship first."""
    entries = gateway.shelf.entries
    return json_response({"object": "list", "data": [_body(entry, gateway) for entry in entries]})


@operation(answer=EntryShape, errors=(404,))
async def show(gateway: Gateway, request: Request) -> Response:
    """One entry, by its id."""
    entry = gateway.shelf.find(request.argument)
    if entry is None:
        raise NotFound(f"There is no model '{shown(request.argument)}' in the catalogue.", param="id")
    return json_response(_body(entry, gateway))


@operation(body=(EntryBody,), answer=EntryShape, errors=(409,))
async def put(gateway: Gateway, request: Request) -> Response:
    """Add or replace an entry. What it cost until today stays written down."""
    body = read(await request.body(gateway.config.server.max_body_bytes), request.argument)
    own = [offer.id for offer in gateway.catalogue.offers()]
    entry = await gateway.shelf.put(request.argument, body, own, actor(request))
    return json_response(_body(entry, gateway))


@operation(answer=RemovedEntryShape, errors=(404,))
async def remove(gateway: Gateway, request: Request) -> Response:
    """Forget what was put: what the configuration says holds again."""
    await gateway.shelf.remove(request.argument, actor(request))
    return json_response({"id": request.argument, "object": "catalogue.entry", "deleted": True})


def _body(entry: ModelEntry, gateway: Gateway) -> dict[str, Any]:
    """The entry as it was written down; `offered` says whether it can be asked for, `missing` why it cannot."""
    missing = gateway.catalogue.missing(entry.id)
    return {
        **msgspec.to_builtins(entry),
        "object": "catalogue.entry",
        "source": gateway.shelf.source(entry.id),
        "offered": missing is None,
        "missing": missing,
    }
