"""The caches by name."""

from __future__ import annotations

from typing import Literal

from radixa.kv.base import PrefixCache
from radixa.kv.force_miss import ForceMissCache
from radixa.kv.no_cache import NoCache
from radixa.kv.radix_cache import RadixCache
from radixa.radix import policy

CacheKind = Literal["radix", "force_miss", "none"]

CACHES: dict[CacheKind, type[RadixCache]] = {"radix": RadixCache, "force_miss": ForceMissCache, "none": NoCache}


def make_cache(kind: CacheKind, capacity: int, *, page_size: int = 1, eviction: str = "lru") -> PrefixCache:
    """A cache over `capacity` free slots. ConfigError for an eviction policy that there is not."""
    return CACHES[kind](capacity, page_size=page_size, policy=policy(eviction))
