"""`/v1/cache`: what is in the tree, whose, and dropping it.

An administrator sees everyone's counts and no one's text but their own; every other key its own account's namespace
and nothing else, so that no hit of one account shows in the figures of another (law 4).
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import msgspec

from radixa.core import tokens
from radixa.core.errors import Forbidden, InvalidRequest
from radixa.engine.base import EngineStats, TreeNode
from radixa.gateway.auth import Identity
from radixa.gateway.base import Response, json_response
from radixa.gateway.request import Request, integer
from radixa.gateway.state import Gateway
from radixa.models.base import Tokenizer

MAX_NODES = 10_000

_SLOTS = ("free", "tree", "leased", "evictable", "nodes")
_COUNTERS = ("requests", "prompt_tokens", "cached_tokens", "computed_tokens", "generated_tokens", "evicted_tokens")


async def show(gateway: Gateway, request: Request) -> Response:
    """Counters since the start, capacity, and use by tier and namespace, in tokens."""
    identity, local = request.identity, gateway.local
    stats = await local.engine.stats()
    info = local.engine.info
    mine = {name: count for name, count in stats.namespaces.items() if identity.admin or owns(identity, name)}
    device: dict[str, Any] = {"capacity": info.capacity, "used": sum(mine.values())}
    if identity.admin:
        device |= {name: getattr(stats, name) for name in _SLOTS}
    return json_response(
        {
            "object": "cache",
            "model": local.name,
            "mode": _mode(gateway),
            "scope": "all" if identity.admin else identity.account_id,
            "bytes_per_token": info.bytes_per_token,
            "counters": _counters(gateway, identity, stats),
            "tiers": {"device": device, "host": {"capacity": 0, "used": 0}, "disk": {"capacity": 0, "used": 0}},
            "namespaces": {name: {"device": count, "host": 0, "disk": 0} for name, count in sorted(mine.items())},
        }
    )


async def tree(gateway: Gateway, request: Request) -> Response:
    """Nodes depth first, those above a node before it: `namespace`, `depth` (levels), `min_tokens`, `limit`."""
    identity, local, query = request.identity, gateway.local, request.query()
    limit = integer(query, "limit", 1_000, 1, MAX_NODES)
    levels = integer(query, "depth", MAX_NODES, 1, MAX_NODES)
    least = integer(query, "min_tokens", 1, 1, 2**31 - 1)
    # One more than asked for tells whether there are more.
    found = await local.engine.tree(_namespace(identity, query), limit + 1)
    kept = _worth_showing(found[:limit], levels, least)
    nodes = await asyncio.to_thread(lambda: [_node(node, identity, local.tokenizer) for node in kept])
    return json_response({"object": "list", "data": nodes, "has_more": len(found) > limit})


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


def _mode(gateway: Gateway) -> str:
    cache = gateway.config.cache
    if not cache.enabled:
        return "none"
    return "force_miss" if cache.force_miss else "radix"


def _counters(gateway: Gateway, identity: Identity, stats: EngineStats) -> dict[str, int]:
    """The engine's for an administrator; for another key its account's own, as the gateway counted them."""
    if identity.admin:
        return {name: getattr(stats, name) for name in _COUNTERS}
    return asdict(gateway.counts[identity.account_id])


def _worth_showing(nodes: list[TreeNode], levels: int, least: int) -> list[TreeNode]:
    """Nodes within `levels` of the root that hold `least` tokens or lead to one that does, in the same order."""
    level: dict[int, int] = {}
    for node in nodes:
        level[node.id] = level.get(node.parent, 0) + 1
    shallow = [node for node in nodes if level[node.id] <= levels]
    keep: set[int] = set()
    for node in reversed(shallow):
        if node.id in keep or tokens.count(node.token_ids) >= least:
            keep.update((node.id, node.parent))
    return [node for node in shallow if node.id in keep]


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
    tier: str = "device"


def _node(node: TreeNode, identity: Identity, tokenizer: Tokenizer) -> NodeBody:
    text = None
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
    )
