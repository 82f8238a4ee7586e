"""Token ids as immutable bytes of little-endian int32.

An edge of the tree is compared with one `key.startswith(segment, pos)`: a memcmp without a copy. Positions are counted
in tokens wherever a name says `tokens`, and in bytes (four a token) only inside the tree.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

TOKEN_BYTES = 4


def pack(token_ids: Iterable[int]) -> bytes:
    """Token ids as bytes of little-endian int32. OverflowError for an id that does not fit."""
    packed = array("i", token_ids)
    if sys.byteorder != "little":
        packed.byteswap()
    return packed.tobytes()


def unpack(key: bytes) -> list[int]:
    """The token ids in `key`, whose length is a multiple of four."""
    packed = array("i", key)
    if sys.byteorder != "little":
        packed.byteswap()
    return packed.tolist()


def count(key: bytes) -> int:
    """How many tokens `key` holds."""
    return len(key) // TOKEN_BYTES


def common_prefix(a: bytes, b: bytes) -> int:
    """How many leading tokens `a` and `b` share.

    Bisection over memory comparisons: about log2(n) of them, whatever the length of the common part.
    """
    low, high = 0, min(len(a), len(b)) // TOKEN_BYTES
    if a.startswith(b[: high * TOKEN_BYTES]):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low * TOKEN_BYTES : middle * TOKEN_BYTES] == b[low * TOKEN_BYTES : middle * TOKEN_BYTES]:
            low = middle
        else:
            high = middle
    return low
