"""The radix tree: one library for engine, router, policies and simulator. Start at `base.py`."""

from radixa.radix.base import (
    NOTHING,
    Evicted,
    EvictionPolicy,
    Facts,
    InsertResult,
    MatchResult,
    NodeView,
    PayloadType,
)
from radixa.radix.node import Node, Space
from radixa.radix.policies import POLICIES, policy
from radixa.radix.tree import Tree

__all__ = [
    "NOTHING",
    "POLICIES",
    "Evicted",
    "EvictionPolicy",
    "Facts",
    "InsertResult",
    "MatchResult",
    "Node",
    "NodeView",
    "PayloadType",
    "Space",
    "Tree",
    "policy",
]
