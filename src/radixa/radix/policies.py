"""Eviction policies by name. One more is a function and a line in `POLICIES`; the tree need not know."""

from __future__ import annotations

from radixa.core.errors import ConfigError
from radixa.radix.base import EvictionPolicy, Facts


def lru(node: Facts) -> float:
    """Least recently used first."""
    return node.used


POLICIES: dict[str, EvictionPolicy] = {"lru": lru}


def policy(name: str) -> EvictionPolicy:
    """The policy of that name; ConfigError lists those there are."""
    try:
        return POLICIES[name]
    except KeyError:
        raise ConfigError(
            f"eviction policy {name!r}: no such policy; there are {', '.join(sorted(POLICIES))}"
        ) from None
