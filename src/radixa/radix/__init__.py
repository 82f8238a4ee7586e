"""The radix tree: one library for engine, router, policies and simulator. Start at `base.py`."""

from radixa.radix.base import (
    NOTHING,
    UNKNOWN,
    Evicted,
    EvictionPolicy,
    Facts,
    GroupedPolicy,
    InsertResult,
    Keep,
    Listener,
    MatchResult,
    NodeView,
    Origin,
    PayloadType,
    Policy,
    Reason,
    Span,
    Trace,
)
from radixa.radix.flushing import flush, removing, removing_prefix
from radixa.radix.keeping import set_keep
from radixa.radix.node import Node
from radixa.radix.policies import POLICIES, lru, policy
from radixa.radix.spaces import Space, account, beneath
from radixa.radix.tree import MAX_LEVELS, Tree
from radixa.radix.walk import finding, view

__all__ = [
    "MAX_LEVELS",
    "NOTHING",
    "POLICIES",
    "UNKNOWN",
    "Evicted",
    "EvictionPolicy",
    "Facts",
    "GroupedPolicy",
    "InsertResult",
    "Keep",
    "Listener",
    "MatchResult",
    "Node",
    "NodeView",
    "Origin",
    "PayloadType",
    "Policy",
    "Reason",
    "Space",
    "Span",
    "Trace",
    "Tree",
    "account",
    "beneath",
    "finding",
    "flush",
    "lru",
    "policy",
    "removing",
    "removing_prefix",
    "set_keep",
    "view",
]
