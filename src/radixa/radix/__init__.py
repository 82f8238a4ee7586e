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
from radixa.radix.node import Node, Space
from radixa.radix.policies import POLICIES, policy
from radixa.radix.tree import Tree

__all__ = [
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
    "policy",
]
