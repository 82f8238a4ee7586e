"""`/v1/cache`: what is in the tree, whose, and dropping it.

An administrator sees everyone's counts and no one's text but their own; every other key its own account's namespace
and nothing else, so that no hit of one account shows in the figures of another (law 4).
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from math import inf
from typing import Any

import msgspec

from radixa.core import tokens
from radixa.core.errors import Forbidden, InvalidRequest
from radixa.engine.base import TreeQuery
from radixa.gateway.auth import Identity
from radixa.gateway.base import Response, json_response
from radixa.gateway.request import Request, integer
from radixa.gateway.state import Gateway
from radixa.models.base import Tokenizer
from radixa.radix import MAX_LEVELS, NodeView

MAX_NODES = 10_000
SLICE = 1_000
"""Nodes that the engine is asked for at a time."""

_SLOTS = ("free", "tree", "leased", "evictable", "nodes")
_WORK = ("computed_tokens", "evicted_tokens", "retractions")


async def show(gateway: Gateway, request: Request) -> Response:
    """Counters since the start, capacity, and use by tier and namespace, in tokens.

    `counters` are of answered requests: everyone's for an administrator, for another key its account's. What the engine
    did for all of them together (`engine`) is an administrator's to see.
    """
    identity, local = request.identity, gateway.local
    stats = await local.engine.stats()
    info = local.engine.info
    mine = {name: count for name, count in stats.namespaces.items() if identity.admin or owns(identity, name)}
    device: dict[str, Any] = {"capacity": info.capacity, "used": sum(mine.values())}
    if identity.admin:
        device |= {name: getattr(stats, name) for name in _SLOTS}
    counters = gateway.total() if identity.admin else gateway.counts[identity.account_id]
    work = {"engine": {name: getattr(stats, name) for name in _WORK}} if identity.admin else {}
    return json_response(
        {
            "object": "cache",
            "model": local.name,
            "mode": gateway.config.cache.mode,
            "scope": "all" if identity.admin else identity.account_id,
            "bytes_per_token": info.bytes_per_token,
            "counters": asdict(counters),
            **work,
            "tiers": {"device": device, "host": {"capacity": 0, "used": 0}, "disk": {"capacity": 0, "used": 0}},
            "namespaces": {name: {"device": count, "host": 0, "disk": 0} for name, count in sorted(mine.items())},
        }
    )


async def tree(gateway: Gateway, request: Request) -> Response:
    """Nodes depth first, those above a node before it.

    `namespace`; `depth`: levels below the root; `min_tokens`: nodes of fewer are passed over; `limit`: nodes on a page;
    `after`: the `next` of the page before. Pages of one walk go on while requests run.
    """
    identity, local, query = request.identity, gateway.local, request.query()
    limit = integer(query, "limit", 1_000, 1, MAX_NODES)
    wanted = TreeQuery(
        namespace=_namespace(identity, query),
        levels=integer(query, "depth", MAX_LEVELS, 1, MAX_LEVELS),
        min_tokens=integer(query, "min_tokens", 1, 1, 2**31 - 1),
        cursor=integer(query, "after", 0, 0, 2**53) or None,
    )
    found: list[NodeView] = []
    more = True
    while more and len(found) < limit:
        # In slices, between which the engine computes.
        page = await local.engine.tree(msgspec.structs.replace(wanted, limit=min(SLICE, limit - len(found))))
        found += page.nodes
        more = page.cursor is not None
        wanted = msgspec.structs.replace(wanted, cursor=page.cursor)
    nodes = await asyncio.to_thread(lambda: [_node(node, identity, local.tokenizer) for node in found])
    return json_response({"object": "list", "data": nodes, "has_more": more, "next": wanted.cursor})


async def flush(gateway: Gateway, request: Request) -> Response:
    """Drop what is not in use: all of it for an administrator, else the caller's own; `?namespace=` narrows it."""
    query = request.query()
    if "session_id" in query:
        raise InvalidRequest(
            "Unsupported parameter: 'session_id': entries are dropped by namespace only.",
            param="session_id",
            code="unsupported_parameter",
        )
    if (await request.body(gateway.config.server.max_body_bytes)).strip():
        raise InvalidRequest(
            "This route takes no body: entries are dropped by namespace only, not by prefix.",
            code="unsupported_parameter",
        )
    dropped = await gateway.local.engine.flush(_namespace(request.identity, query))
    return json_response({"object": "cache.flushed", "dropped_tokens": dropped})


def owns(identity: Identity, namespace: str) -> bool:
    """Whether a namespace is the account's own, or one of its salted ones."""
    return namespace == identity.account_id or namespace.startswith(f"{identity.account_id}/")


def _namespace(identity: Identity, query: dict[str, str]) -> str | None:
    """The namespace a request is about, None for all. Forbidden where it is somebody else's."""
    wanted = query.get("namespace") or None
    if identity.admin:
        return wanted
    if wanted is not None and not owns(identity, wanted):
        raise Forbidden(
            f"This key may see and drop its own account's entries only. Expected namespace={identity.account_id}.",
            param="namespace",
        )
    return wanted or identity.account_id


class NodeBody(msgspec.Struct, frozen=True):
    id: int
    parent: int
    namespace: str
    depth: int
    """Tokens on the path above it."""
    tokens: int
    text: str | None
    """None where it is not the caller's own."""
    hits: int
    last_use: float
    """Seconds ago."""
    age: float
    """Seconds since it was made."""
    locked: bool
    role: str
    session_id: str | None
    priority: bool
    pin: bool
    expiry: float | None
    """Seconds until its TTL runs out, if nothing uses it; None without a TTL."""
    tier: str = "device"


def _node(node: NodeView, identity: Identity, tokenizer: Tokenizer) -> NodeBody:
    text, keep = None, node.keep
    if owns(identity, node.namespace):
        text = tokenizer.decode(tokens.unpack(node.token_ids), skip_special=False)
    return NodeBody(
        id=node.id,
        parent=node.parent,
        namespace=node.namespace,
        depth=node.depth,
        tokens=tokens.count(node.token_ids),
        text=text,
        hits=node.hits,
        last_use=round(node.last_use, 3),
        age=round(node.created, 3),
        locked=node.locked,
        role=node.origin.role,
        session_id=node.origin.session or None,
        priority=keep is not None and keep.priority,
        pin=keep is not None and keep.pin,
        expiry=None if keep is None or keep.ttl == inf else max(0.0, round(keep.ttl - node.last_use, 3)),
    )
