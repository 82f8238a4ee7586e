"""Least recently used first."""

from __future__ import annotations

from radixa.radix.base import Facts


def lru(node: Facts) -> float:
    """When the node was last used."""
    return node.used
