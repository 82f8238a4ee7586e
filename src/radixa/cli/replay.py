"""`radixa replay`: a trace against eviction policies."""

from __future__ import annotations


def replay() -> None:
    """Placeholder until bench.replay lands."""
