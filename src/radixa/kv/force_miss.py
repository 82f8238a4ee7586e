"""The honest baseline: everything happens as in the real cache, and nothing is reused."""

from __future__ import annotations

from radixa.core.base import Explanation, Miss
from radixa.core.tokens import count
from radixa.kv.base import Lease
from radixa.kv.radix_cache import RadixCache


class ForceMissCache(RadixCache):
    """A `RadixCache` that matches, inserts and evicts, and lends no request what another one computed.

    What it costs a request is thus the whole path, and what it saves is nothing. A request's own slots still go over to
    the tree at a commit, and where the tree had its tokens already, the request is moved to the tree's slots.
    """

    shares = False

    def peek(self, key: bytes, namespace: str) -> int:
        return 0

    def explain(self, key: bytes, namespace: str, *, read: bool, below: int = 0, remember: bool = False) -> Explanation:
        return Explanation(count(key), 0, miss=Miss(0, "disabled"))

    def match(self, key: bytes, namespace: str, limit: int) -> Lease:
        self.tree.match(key, namespace, limit)
        return self.bare(namespace)
