"""The order in which chosen passages are sent: a cache reuses a prompt up to where it first differs from an earlier
one, so passages that an earlier prompt began with come first, as they stood there.

Only the order changes. Which passages are sent is the ranking's alone, so no passage takes the place of a better one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def arranged(
    chosen: Sequence[T], held: Iterable[Sequence[T]], length: Callable[[T], int] = lambda one: 1
) -> tuple[list[T], int]:
    """`chosen` (best first, none twice) in the order to send, and how many at its beginning are held so.

    `held`: orders that the cache holds, of which any beginning may be used. The longest beginning that consists of
    chosen passages alone goes first, by the passages' `length`; of equals the one given first. The rest follows, best
    first.
    """
    wanted = set(chosen)
    best: Sequence[T] = ()
    most = 0
    for order in held:
        beginning = _beginning(order, wanted)
        size = sum(map(length, beginning))
        if size > most:
            best, most = beginning, size
    first = set(best)
    return [*best, *(one for one in chosen if one not in first)], len(best)


def _beginning(order: Sequence[T], wanted: set[T]) -> Sequence[T]:
    """The part of `order` before the first thing that is not wanted, or that it has twice."""
    seen: set[T] = set()
    for place, one in enumerate(order):
        if one not in wanted or one in seen:
            return order[:place]
        seen.add(one)
    return order
