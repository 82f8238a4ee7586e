"""Numbers of nodes as others may see them: they do not tell how many others made before (law 4).

A node keeps its number as long as this server runs. 0, which is no node, stays 0.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache

BITS = 52
"""Of a number: what a JavaScript program can hold exactly, with one to spare."""
_HALF = BITS // 2
_MASK = (1 << _HALF) - 1
_REMEMBERED = 8_192
"""A node's number is asked for again as its children's parent."""
_ROUNDS = (0, 1, 2, 3)
_KEYS = [secrets.token_bytes(32) for _ in _ROUNDS]


@lru_cache(_REMEMBERED)
def veiled(number: int) -> int:
    """The number that stands for `number`, which is at least 0 and has at most 52 bits."""
    if not number:
        return 0
    # One number would become 0; it takes the place that 0 leaves.
    return _forward(number) or _forward(0)


def unveiled(number: int) -> int:
    """What `veiled` made `number` of."""
    if not number:
        return 0
    return _backward(number) or _backward(0)


def _forward(number: int) -> int:
    left, right = number >> _HALF, number & _MASK
    for turn in _ROUNDS:
        left, right = right, left ^ _mixed(turn, right)
    return left << _HALF | right


def _backward(number: int) -> int:
    left, right = number >> _HALF, number & _MASK
    for turn in reversed(_ROUNDS):
        left, right = right ^ _mixed(turn, left), left
    return left << _HALF | right


def _mixed(turn: int, half: int) -> int:
    digest = hashlib.blake2b(half.to_bytes(4, "little"), digest_size=4, key=_KEYS[turn]).digest()
    return int.from_bytes(digest, "little") & _MASK
