"""What a cache that knows the future would hit: the bound at a given capacity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from radixa.radix import NOTHING, Tree

NEVER = 1 << 62

Asked = tuple[str, bytes, bytes]
"""Namespace, prompt, and prompt with output: paths of units."""


@dataclass(frozen=True, slots=True)
class Routes:
    """A trace as paths of pieces: stretches of units that every request has wholly or not at all."""

    sizes: tuple[int, ...]
    """Units of each piece."""
    depths: tuple[int, ...]
    """Units above each piece."""
    prompts: tuple[tuple[int, ...], ...]
    """The pieces of each request's prompt, from the root down."""
    wholes: tuple[tuple[int, ...], ...]
    """The same with its output."""


def routes(requests: Iterable[Asked], page_size: int = 1) -> Routes:
    """Cut every path where any two of them part, and where a prompt ends."""
    tree = Tree(NOTHING, page_size=page_size)
    requests = list(requests)
    for namespace, prompt, whole in requests:
        tree.insert(whole, None, namespace)
        tree.match(prompt, namespace)
    numbers: dict[int, int] = {}
    sizes: list[int] = []
    depths: list[int] = []

    def pieces(key: bytes, namespace: str) -> tuple[int, ...]:
        found = []
        for node in tree.match(key, namespace).node.path():
            number = numbers.setdefault(node.id, len(numbers))
            if number == len(sizes):
                sizes.append(node.tokens)
                depths.append(node.depth)
            found.append(number)
        return tuple(found)

    prompts, wholes = [], []
    for namespace, prompt, whole in requests:
        prompts.append(pieces(prompt, namespace))
        wholes.append(pieces(whole, namespace) if len(whole) > len(prompt) else prompts[-1])
    return Routes(tuple(sizes), tuple(depths), tuple(prompts), tuple(wholes))


def belady(trace: Routes, capacity: int) -> int:
    """Units that prompts hit with room for `capacity` of them.

    Of what is resident and what the request just served has, the units go whose next use is farthest, which may be the
    request's own; of equals the deepest. A hit is a leading run of resident units. No unit is used later than one
    beneath it, so a path never loses its middle, and of a piece only its end.
    """
    following = _following(trace)
    sizes, depths = trace.sizes, trace.depths
    held: dict[int, int] = {}
    """Units of a piece that are resident, its first ones."""
    next_use: dict[int, int] = {}
    farthest: list[tuple[int, int, int]] = []
    """(-next use, -depth, piece); an entry counts while it states the piece's next use."""
    free = capacity
    hits = 0
    for prompt, whole, uses in zip(trace.prompts, trace.wholes, following, strict=True):
        for piece in prompt:
            resident = held.get(piece, 0)
            hits += resident
            if resident < sizes[piece]:
                break
        for piece, use in zip(whole, uses, strict=True):
            free -= sizes[piece] - held.get(piece, 0)
            held[piece] = sizes[piece]
            if next_use.get(piece) != use:
                next_use[piece] = use
                heappush(farthest, (-use, -depths[piece], piece))
        while free < 0:
            use, _, piece = farthest[0]
            if next_use.get(piece) != -use:
                heappop(farthest)
                continue
            gone = min(held[piece], -free)
            free += gone
            held[piece] -= gone
            if not held[piece]:
                heappop(farthest)
                del held[piece], next_use[piece]
    return hits


def _following(trace: Routes) -> Sequence[list[int]]:
    """For each request and each piece of it, the next request whose prompt has the piece."""
    upcoming: dict[int, int] = {}
    following: list[list[int]] = []
    for at in range(len(trace.wholes) - 1, -1, -1):
        following.append([upcoming.get(piece, NEVER) for piece in trace.wholes[at]])
        upcoming.update(dict.fromkeys(trace.prompts[at], at))
    following.reverse()
    return following
