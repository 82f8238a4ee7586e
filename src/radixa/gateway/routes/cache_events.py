"""`GET /v1/cache/events`: what happens in the tree, as it happens (`tree_feed.py`)."""

from __future__ import annotations

from radixa.gateway.base import EventStream, Response, operation
from radixa.gateway.request import Request
from radixa.gateway.routes.cache import NAMESPACE, SALT, namespace_of
from radixa.gateway.state import Gateway
from radixa.gateway.tree_feed import EventBody, OpenBody


@operation(query=(NAMESPACE, SALT), events={"open": OpenBody, "changes": EventBody}, errors=(403, 429))
async def show(gateway: Gateway, request: Request) -> Response | EventStream:
    """Server-sent events: `open` once the tree may be read, then `changes` as the tree changes, four times a second at
    most.

    A node is told as `/v1/cache/tree` tells it, to the same callers. A line without an event comes every 15 seconds.
    """
    # Who has a body to send has not left yet.
    await request.body(gateway.config.server.max_body_bytes)
    events = await gateway.feed.open(request.identity, namespace_of(request.identity, request.query()))
    request.watch()
    return EventStream(request.owns(events))
