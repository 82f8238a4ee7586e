"""`/v1/cache`: what is in the tree, whose, and dropping it.

An administrator sees everyone's counts and no one's text but their own; every other key its own account's namespace
and nothing else, so that no hit of one account shows in the figures of another (law 4).
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import CachePolicy
from radixa.core.errors import Forbidden, InvalidRequest, shown
from radixa.engine.base import Flushed, TreeQuery
from radixa.gateway.auth import Identity
from radixa.gateway.base import Parameter, Response, json_response, operation
from radixa.gateway.dialects.chat.body import ChatBody
from radixa.gateway.dialects.completions.body import CompletionBody
from radixa.gateway.errors import contradiction
from radixa.gateway.nodes import node_body, owns
from radixa.gateway.request import Request, integer
from radixa.gateway.routes.one_prompt import one_prompt
from radixa.gateway.shapes.cache import CacheShape, TreeShape
from radixa.gateway.state import Gateway
from radixa.gateway.wishes import namespace
from radixa.kv.tiers.base import TierStats
from radixa.radix import MAX_LEVELS, NodeView

MAX_NODES = 10_000
SLICE = 1_000
"""Nodes that the engine is asked for at a time."""

NAMESPACE = Parameter("namespace", "One account's, or one of its salted ones; of another account for administrators.")
SALT = Parameter("cache_salt", "The caller's own namespace under that salt.")
_TREE_QUERY = (
    NAMESPACE,
    SALT,
    Parameter("depth", "Levels below the root.", Annotated[int, Meta(ge=1, le=MAX_LEVELS)]),
    Parameter("min_tokens", "Nodes of fewer are passed over.", Annotated[int, Meta(ge=1, le=2**31 - 1)]),
    Parameter("limit", "Nodes on a page.", Annotated[int, Meta(ge=1, le=MAX_NODES)]),
    Parameter("after", "The `next` of the page before.", Annotated[int, Meta(ge=0, le=2**53)]),
)
_FLUSH_QUERY = (NAMESPACE, SALT, Parameter("session_id", "One session of the caller's."))
_NARROWING = tuple(parameter.name for parameter in _FLUSH_QUERY)
_SLOTS = ("free", "tree", "leased", "evictable", "nodes")
_WORK = ("computed_tokens", "evicted_tokens", "wanted_tokens", "retractions")
_RETENTION = ("expired_tokens", "yielded_tokens")


class FlushedBody(msgspec.Struct, frozen=True):
    object: Literal["cache.flushed"]
    dropped_tokens: int
    dropped_host_tokens: int
    dropped_disk_tokens: int


def flushed_body(dropped: Flushed) -> FlushedBody:
    return FlushedBody("cache.flushed", dropped.tokens, dropped.host_tokens, dropped.disk_tokens)


@operation(answer=CacheShape, errors=(400,))
async def show(gateway: Gateway, request: Request) -> Response:
    """Counters since the start, capacity, and use by tier and namespace, in tokens; null where that is not known.

    `counters` are of answered requests: everyone's for an administrator, for another key its account's. What the engine
    did for all of them together (`engine`, `retention`) is an administrator's to see.
    """
    identity, local = request.identity, gateway.local
    stats = await local.engine.stats()
    info = local.engine.info
    mine = {name: count for name, count in stats.namespaces.items() if identity.admin or owns(identity, name)}
    device: dict[str, Any] = {"capacity": info.capacity, "used": sum(mine.values())}
    if identity.admin:
        device |= {name: getattr(stats, name) for name in _SLOTS}
    counters = gateway.accounting.total() if identity.admin else gateway.accounting.counts[identity.account_id]
    work: dict[str, Any] = {}
    if identity.admin:
        work["engine"] = {name: getattr(stats, name) for name in _WORK}
        work["retention"] = {"used": stats.retained, "budget": stats.retention_budget} | {
            name: getattr(stats, name) for name in _RETENTION
        }
    # Blocks below are named by a keyed hash that tells nobody whose they are.
    in_host, on_disk = (None if tier.enabled else 0 for tier in (stats.host, stats.disk))
    return json_response(
        {
            "object": "cache",
            "model": local.name,
            "mode": gateway.config.cache.mode,
            "scope": "all" if identity.admin else identity.account_id,
            "bytes_per_token": info.bytes_per_token,
            "counters": asdict(counters),
            **work,
            "tiers": {
                "device": device,
                "host": _below(stats.host, info.bytes_per_token, identity),
                "disk": _below(stats.disk, info.bytes_per_token, identity),
            },
            "namespaces": {
                name: {"device": count, "host": in_host, "disk": on_disk} for name, count in sorted(mine.items())
            },
        }
    )


def _below(tier: TierStats, bytes_per_token: int, identity: Identity) -> dict[str, Any]:
    found: dict[str, Any] = {"capacity": tier.budget // bytes_per_token}
    if not identity.admin:
        return found | {"used": None if tier.enabled else 0}
    return found | {
        "used": tier.bytes // bytes_per_token,
        "capacity_bytes": tier.budget,
        "used_bytes": tier.bytes,
        "blocks": tier.blocks,
        "queued_bytes": tier.queued,
        "disabled": tier.disabled,
    }


@operation(query=_TREE_QUERY, answer=TreeShape, errors=(403,))
async def tree(gateway: Gateway, request: Request) -> Response:
    """Nodes depth first, those above a node before it. Pages of one walk go on while requests run."""
    identity, local, query = request.identity, gateway.local, request.query()
    limit = integer(query, "limit", 1_000, 1, MAX_NODES)
    wanted = TreeQuery(
        namespace=namespace_of(identity, query),
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
    nodes = await asyncio.to_thread(lambda: [node_body(node, identity, local.tokenizer) for node in found])
    return json_response({"object": "list", "data": nodes, "has_more": more, "next": wanted.cursor})


@operation(
    body=(ChatBody, CompletionBody), body_required=False, query=_FLUSH_QUERY, answer=FlushedBody, errors=(403, 404)
)
async def flush(gateway: Gateway, request: Request) -> Response:
    """Drop what is not in use, while requests run: all of it for an administrator, else the caller's own.

    `namespace` and `session_id` narrow it. A body with a prompt drops that prefix and what begins with it, in the
    caller's own namespace, narrowed by the body's `cache_salt`.
    """
    identity, query = request.identity, request.query()
    _check_narrowed(query)
    raw = await request.body(gateway.config.server.max_body_bytes)
    if raw:
        dropped = await _flush_prefix(gateway, request, query, raw)
    else:
        wanted, session = namespace_of(identity, query), query.get("session_id")
        if session is not None and wanted is None:
            # A session's name is its account's own: another account may have one of the same name.
            wanted = identity.account_id
        dropped = await gateway.local.engine.flush(wanted, session=session)
    gateway.accounting.recent.forget(None if identity.admin and not raw else identity.account_id)
    return json_response(flushed_body(dropped))


async def _flush_prefix(gateway: Gateway, request: Request, query: dict[str, str], raw: bytes) -> Flushed:
    for name in query:
        raise InvalidRequest(
            f"'{shown(name)}' cannot be combined with a prefix, which is dropped in your own namespace. For one of its "
            "salted ones put 'cache_salt' into the body.",
            param=shown(name),
            code="invalid_value",
        )
    wanted = await one_prompt(gateway, request, raw)
    local = gateway.local
    asked = wanted.request(gateway, request, CachePolicy(), max_tokens=0)
    prompt = await local.prepare(asked, add_generation_prompt=False)
    return await local.engine.flush(asked.namespace, prefix=prompt.token_ids)


def _check_narrowed(query: dict[str, str]) -> None:
    """InvalidRequest for what would not narrow a flush as it was meant to: nothing more than was meant may go."""
    for name, value in query.items():
        if name not in _NARROWING:
            raise InvalidRequest(
                f"Unknown parameter: '{shown(name)}'. Entries are dropped by {' or '.join(_NARROWING)}, or by a prefix "
                "in the body.",
                param=shown(name),
                code="unknown_parameter",
            )
        if not value:
            raise InvalidRequest(
                f"Invalid '{name}': it is empty. Name one, or leave it out to drop all.",
                param=name,
                code="invalid_value",
            )


def namespace_of(identity: Identity, query: dict[str, str]) -> str | None:
    """The namespace a request is about, None for all. Forbidden where it is somebody else's.

    A `cache_salt` names the caller's own one of that salt.
    """
    wanted = query.get("namespace") or None
    salt = query.get("cache_salt")
    if salt is not None:
        if wanted is not None:
            raise contradiction(
                "cache_salt", "'cache_salt' and 'namespace' both name a namespace: leave out one of them."
            )
        return namespace(identity.account_id, salt)
    if identity.admin:
        return wanted
    if wanted is not None and not owns(identity, wanted):
        raise Forbidden(
            f"This key may see and drop its own account's entries only. Expected namespace={identity.account_id}.",
            param="namespace",
        )
    return wanted or identity.account_id
