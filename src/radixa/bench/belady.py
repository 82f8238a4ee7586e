"""What a cache that knows the future would hit: the bound at a given capacity."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from radixa.core.tokens import unpack

NEVER = 1 << 62


def belady(requests: Sequence[bytes], capacity: int) -> int:
    """Blocks hit over `requests`, each a path of blocks, with room for `capacity` of them.

    Of the resident blocks and those of the request just served, the ones whose next use is farthest go, which may be
    the request's own; of equals the deepest goes first. A hit is a leading run of resident blocks. Every block names
    its whole prefix, so no block is used later than one beneath it, and a prefix never loses its middle.
    """
    paths = [unpack(request) for request in requests]
    upcoming: dict[int, int] = {}
    following: list[list[int]] = []
    for at in range(len(paths) - 1, -1, -1):
        following.append([upcoming.get(block, NEVER) for block in paths[at]])
        upcoming.update(dict.fromkeys(paths[at], at))
    following.reverse()
    next_use: dict[int, int] = {}
    """Of the resident blocks."""
    farthest: list[tuple[int, int, int]] = []
    """(-next use, -depth, block); an entry counts while it states the block's next use."""
    hits = 0
    for path, uses in zip(paths, following, strict=True):
        hits += next((depth for depth, block in enumerate(path) if block not in next_use), len(path))
        for depth, (block, use) in enumerate(zip(path, uses, strict=True)):
            next_use[block] = use
            heappush(farthest, (-use, -depth, block))
        while len(next_use) > capacity:
            use, _, block = heappop(farthest)
            if next_use.get(block) == -use:
                del next_use[block]
    return hits
