"""The caches by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Literal

from radixa.kv.base import PrefixCache
from radixa.kv.force_miss import ForceMissCache
from radixa.kv.no_cache import NoCache
from radixa.kv.radix_cache import RadixCache
from radixa.kv.runs import Runs
from radixa.radix import Listener, policy

CacheKind = Literal["radix", "force_miss", "none"]


def make_cache(
    kind: CacheKind,
    capacity: int,
    *,
    page_size: int = 1,
    eviction: str = "lru",
    retention: float = 0.5,
    listeners: Sequence[Listener[Runs]] = (),
    clock: Callable[[], float] = monotonic,
) -> PrefixCache:
    """A cache over `capacity` free slots. ConfigError for an eviction policy that there is not."""
    rule = policy(eviction)
    if kind == "none":
        return NoCache(capacity)
    made = RadixCache if kind == "radix" else ForceMissCache
    return made(capacity, page_size=page_size, policy=rule, retention=retention, listeners=listeners, clock=clock)
