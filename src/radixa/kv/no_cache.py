"""The cache that is off."""

from __future__ import annotations

from radixa.kv.base import Lease
from radixa.kv.radix_cache import RadixCache


class NoCache(RadixCache):
    """Slots for running requests and nothing kept: a `RadixCache` whose tree stays empty."""

    shares = False

    def match(self, key: bytes, namespace: str, limit: int) -> Lease:
        return self.bare(namespace)

    def commit(self, lease: Lease, key: bytes) -> int:
        return 0
