"""What happened at one upstream since this server started: counts that only grow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from radixa.core.errors import RadixaError, RateLimited, UpstreamError, UpstreamTimeout

FailureKind = Literal["unavailable", "timeout", "limited", "refused"]
"""It failed or cannot be reached; it was silent for too long; it had enough of us; it said that we are wrong."""
KINDS: tuple[FailureKind, ...] = ("unavailable", "timeout", "limited", "refused")


@dataclass(slots=True)
class Figures:
    requests: int = 0
    """Tries, the first ones and those after them."""
    retries: int = 0
    failures: Counter[FailureKind] = field(default_factory=Counter)


def kind_of(error: RadixaError) -> FailureKind:
    if isinstance(error, UpstreamTimeout):
        return "timeout"
    if isinstance(error, RateLimited):
        return "limited"
    return "unavailable" if isinstance(error, UpstreamError) else "refused"
