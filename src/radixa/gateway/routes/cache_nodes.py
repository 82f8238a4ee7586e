"""`/v1/cache/nodes/{id}`: one node of the tree with those above it; its retention; dropping it.

The node is looked for among the caller's own; an administrator's key finds everyone's, and no one's text but its own.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.errors import NotFound, shown
from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.nodes import NodeBody, node_body
from radixa.gateway.request import Request, whole
from radixa.gateway.routes.cache import FlushedBody, flushed_body
from radixa.gateway.state import Gateway
from radixa.gateway.veil import BITS, unveiled
from radixa.radix import Keep, NodeView


class PathBody(msgspec.Struct, frozen=True):
    object: Literal["cache.node"]
    path: list[NodeBody]
    """The node after those above it."""


class KeepBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The retention that a node is to have in place of what it was given itself; `{}` for none."""

    pin: bool = False
    high_priority: bool = False
    cache_ttl_seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None


_decode = BodyDecoder(KeepBody)


@operation(answer=PathBody, errors=(400, 404))
async def show(gateway: Gateway, request: Request) -> Response:
    """The path to a node, root first."""
    return await _path(gateway, request, await gateway.local.engine.node(_number(request), _whose(request)))


@operation(body=(KeepBody,), answer=PathBody, errors=(404,))
async def change(gateway: Gateway, request: Request) -> Response:
    """Pin a node or take its pin away, give it a TTL or end it.

    The path above a node goes along with it, since it is no use without, and so a node keeps what one below it has.
    Retention has a budget: the answer says what the node got.
    """
    body = await _decode.read(await request.body(gateway.config.server.max_body_bytes))
    asked = body.pin or body.high_priority or body.cache_ttl_seconds is not None
    keep = Keep(float(body.cache_ttl_seconds or inf), body.high_priority, body.pin) if asked else None
    number = _number(request)
    return await _path(gateway, request, await gateway.local.engine.keep(number, _whose(request), keep))


@operation(answer=FlushedBody, errors=(400, 404))
async def evict(gateway: Gateway, request: Request) -> Response:
    """Drop a node, what is below it, and what is above it as far as nothing else goes on from there, in every tier.

    What running requests use stays.
    """
    engine = gateway.local.engine
    path = await engine.node(_number(request), _whose(request))
    prefix = b"".join([node.token_ids for node in path])
    dropped = await engine.flush(path[-1].namespace, prefix=prefix)
    gateway.accounting.recent.forget(path[-1].namespace.partition("/")[0])
    return json_response(flushed_body(dropped))


async def _path(gateway: Gateway, request: Request, path: list[NodeView]) -> Response:
    identity, tokenizer = request.identity, gateway.local.tokenizer
    nodes = await asyncio.to_thread(lambda: [node_body(node, identity, tokenizer) for node in path])
    return json_response(PathBody("cache.node", nodes))


def _number(request: Request) -> int:
    number = whole(request.argument)
    if number is None or not 0 < number < 1 << BITS:
        raise NotFound(f"There is no node '{shown(request.argument)}'.", param="id")
    return unveiled(number)


def _whose(request: Request) -> str | None:
    return None if request.identity.admin else request.identity.account_id
