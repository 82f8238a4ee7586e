"""`GET /v1/audit`: what was done to accounts, keys and credits, and by whom. For administrators."""

from __future__ import annotations

import asyncio

from radixa.gateway.base import Response, json_response
from radixa.gateway.request import Request, integer
from radixa.gateway.routes.accounts import named
from radixa.gateway.state import Gateway
from radixa.store.shapes import audit_shape

_MOST = 1000


async def index(gateway: Gateway, request: Request) -> Response:
    """Newest first. `limit`; `before`: the id of the last entry of the page before; `account`: only what was done to it
    and what is its."""
    query = request.query()
    limit = integer(query, "limit", 100, 1, _MOST)
    before, wanted = query.get("before"), query.get("account")

    def read() -> tuple[list[dict[str, object]], bool]:
        account_id = named(gateway.store, wanted).id if wanted is not None else None
        found = gateway.store.audit(limit=limit + 1, before=before, account_id=account_id)
        return [audit_shape(entry) for entry in found[:limit]], len(found) > limit

    data, more = await asyncio.to_thread(read)
    return json_response({"object": "list", "data": data, "has_more": more})
