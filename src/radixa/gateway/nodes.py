"""Nodes of the tree as routes tell them: numbers veiled, texts and sessions to their owner only (law 4)."""

from __future__ import annotations

from math import inf

import msgspec

from radixa.core import tokens
from radixa.gateway.auth import Identity
from radixa.gateway.veil import veiled
from radixa.models.base import Tokenizer
from radixa.radix import Keep, NodeView


class NodeBody(msgspec.Struct, frozen=True):
    id: int
    """At most 52 bits."""
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
    """As `text`: its name is its account's."""
    priority: bool
    pin: bool
    expiry: float | None
    """Seconds until its TTL runs out, if nothing uses it; None without a TTL."""
    tier: str = "device"


def owns(identity: Identity, namespace: str) -> bool:
    """Whether a namespace is the account's own, or one of its salted ones."""
    return namespace == identity.account_id or namespace.startswith(f"{identity.account_id}/")


def node_body(node: NodeView, identity: Identity, tokenizer: Tokenizer) -> NodeBody:
    """`node` as `identity` may see it."""
    text, session, keep = None, None, node.keep
    if owns(identity, node.namespace):
        session = node.origin.session or None
        text = tokenizer.decode(tokens.unpack(node.token_ids), skip_special=False)
    return NodeBody(
        id=veiled(node.id),
        parent=veiled(node.parent),
        namespace=node.namespace,
        depth=node.depth,
        tokens=tokens.count(node.token_ids),
        text=text,
        hits=node.hits,
        last_use=round(node.last_use, 3),
        age=round(node.created, 3),
        locked=node.locked,
        role=node.origin.role,
        session_id=session,
        priority=keep is not None and keep.priority,
        pin=keep is not None and keep.pin,
        expiry=expiry(keep, node.last_use),
    )


def expiry(keep: Keep | None, last_use: float) -> float | None:
    """Seconds until the TTL of a node runs out that was used `last_use` seconds ago."""
    return None if keep is None or keep.ttl == inf else max(0.0, round(keep.ttl - last_use, 3))
