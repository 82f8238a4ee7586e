"""`GET /v1/audit`: what was done to accounts, keys and credits, and by whom. For administrators."""

from __future__ import annotations

import asyncio
from typing import Annotated

from msgspec import Meta

from radixa.gateway.base import Parameter, Response, json_response, operation
from radixa.gateway.request import Request, integer
from radixa.gateway.routes.finding import named
from radixa.gateway.shapes.accounts import AuditShape
from radixa.gateway.shapes.base import Paged
from radixa.gateway.state import Gateway
from radixa.store.shapes import audit_shape

_MOST = 1000
_QUERY = (
    Parameter("limit", "Entries on a page.", Annotated[int, Meta(ge=1, le=_MOST)]),
    Parameter("before", "The id of the last entry of the page before."),
    Parameter("account", "Only what was done to it and what is its: an id or a name."),
)


@operation(query=_QUERY, answer=Paged[AuditShape], errors=(404,))
async def index(gateway: Gateway, request: Request) -> Response:
    """Newest first."""
    query = request.query()
    limit = integer(query, "limit", 100, 1, _MOST)
    before, wanted = query.get("before"), query.get("account")

    def read() -> tuple[list[dict[str, object]], bool]:
        account_id = named(gateway.store, wanted).id if wanted is not None else None
        found = gateway.store.audit(limit=limit + 1, before=before, account_id=account_id)
        return [audit_shape(entry) for entry in found[:limit]], len(found) > limit

    data, more = await asyncio.to_thread(read)
    return json_response({"object": "list", "data": data, "has_more": more})
