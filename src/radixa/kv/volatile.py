"""Finds the line near the front of a prompt that changes with every request and so defeats every prefix cache.

Timestamps, request ids and billing lines are the common ones. A request that leaves the tree is compared with what
follows there: where both go on alike after a few tokens that differ, those few cost the whole rest. Seen often enough
before the same rest, they are named.
"""

from __future__ import annotations

from collections import OrderedDict

from radixa.core.base import Volatile
from radixa.core.tokens import TOKEN_BYTES, common_prefix
from radixa.radix import beneath

LONGEST = 96
"""Tokens that a volatile stretch may have."""

WORTH = 32
"""Tokens that must be alike after it, for it to be worth a word."""

ENOUGH = 3
"""Requests with something else there, this one included, after which a stretch is volatile."""

_WINDOW = 8
"""Tokens by which the place is found where both go on alike."""

_REMEMBERED = 1024


class VolatileSpans:
    """Counts, by what follows, the requests that differed before it."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, bytes], int] = OrderedDict()

    def look(self, namespace: str, key: bytes, at: int, tree: bytes, *, remember: bool) -> Volatile | None:
        """What of `key` after its first `at` tokens is volatile, given that the tree has `tree` there instead.

        With `remember` the request counts for those that come.
        """
        found = _meeting(key[at * TOKEN_BYTES :], tree)
        if found is None:
            return None
        length, alike = found
        after = at + length
        sign = (namespace, key[after * TOKEN_BYTES : (after + _WINDOW) * TOKEN_BYTES])
        seen = self._seen.get(sign, 1) + 1  # the one that is in the tree had something else there, and so has this
        if remember:
            self._seen[sign] = seen
            self._seen.move_to_end(sign)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return Volatile(at, after, seen, alike) if seen >= ENOUGH else None

    def forget(self, namespace: str | None) -> None:
        """Forget what was seen in a namespace and those beneath it, or everywhere."""
        for sign in [sign for sign in self._seen if beneath(sign[0], namespace)]:
            del self._seen[sign]


def _meeting(ours: bytes, theirs: bytes) -> tuple[int, int] | None:
    """Tokens of `ours` before both go on alike, and for how many they then do; None where that is not worth it."""
    reach = theirs[: (LONGEST + _WINDOW) * TOKEN_BYTES]
    for length in range(min(LONGEST, len(ours) // TOKEN_BYTES - WORTH) + 1):
        start = length * TOKEN_BYTES
        place = _aligned(reach, ours[start : start + _WINDOW * TOKEN_BYTES])
        if place is not None:
            alike = common_prefix(ours[start:], theirs[place:])
            if alike >= WORTH:
                return length, alike
    return None


def _aligned(text: bytes, part: bytes) -> int | None:
    """Where `part` begins in `text`, at a whole token."""
    at = text.find(part)
    while at >= 0:
        if not at % TOKEN_BYTES:
            return at
        at = text.find(part, at + 1)
    return None
