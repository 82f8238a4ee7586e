"""Eviction policies by name. One more is a function or a small object (`base.py`) and a line here; no tree code."""

from __future__ import annotations

from collections.abc import Callable

from radixa.core.errors import ConfigError
from radixa.radix.base import Policy
from radixa.radix.policies.arc import Arc
from radixa.radix.policies.default import Default
from radixa.radix.policies.lru import lru

POLICIES: dict[str, Callable[[], Policy]] = {"lru": lambda: lru, "arc": Arc, "default": Default}
"""Each makes the policy for one tree: those with a memory must not share it."""

HINTED = frozenset({"default"})
"""Policies that look at what a request says of its tokens: role, session, retention."""


def policy(name: str) -> Policy:
    """The policy of that name, for one tree; ConfigError lists those there are."""
    make = POLICIES.get(name)
    if make is None:
        raise ConfigError(f"eviction policy {name!r}: no such policy; there are {', '.join(sorted(POLICIES))}")
    return make()


__all__ = ["HINTED", "POLICIES", "lru", "policy"]
