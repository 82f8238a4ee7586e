"""Which breakpoints pay: the best at most four of some candidates.

A breakpoint lays a stretch of the prompt, from the breakpoint before it, into Anthropic's cache. A token there costs a
premium to write (0.25 or 1), and saves 0.9 with the chance that the next prompt which goes so far comes in time. If it
comes, the token is still there for the prompt after that one: worth what all further reads save, but no more than the
premium, for which it could be written then. What is in the cache already is not written again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from radixa.providers.anthropic.breakpoints.base import MOST, READ, WRITE, Mark, Ttl
from radixa.providers.anthropic.breakpoints.stretch import Hope


class Candidate(NamedTuple):
    """A block on which a breakpoint may stand."""

    position: int
    tokens: float
    """Of the prompt up to and including it."""
    hope: Hope
    """That it is wanted again in time; nowhere less than that of a later candidate."""


def worth(tokens: float, written: float, hope: Hope, ttl: Ttl) -> float:
    """What it saves, in input tokens, to have `tokens` in the cache, `written` of which are not there yet."""
    premium = WRITE[ttl] - 1
    again, then = (hope.next.short, hope.then.short) if ttl == "5m" else (hope.next.long, hope.then.long)
    later = premium if then > 0.99 else min(premium, (1 - READ) * then / (1 - then))
    return tokens * again * (1 - READ + later) - written * premium


_Found = tuple[float, tuple[Mark, ...]]


def choose(
    candidates: Sequence[Candidate], cached: float, ttls: Sequence[Ttl] = ("1h", "5m"), most: int = MOST
) -> tuple[Mark, ...]:
    """The breakpoints, in order, that are worth most together; none where none is worth anything.

    `candidates` are in order; `cached`: tokens of the prompt that are in the cache now. Those that are kept for an hour
    come before those that are not, as Anthropic asks.
    """
    best: _Found = (0.0, ())
    # The best choice that ends with a candidate, by candidate, number of breakpoints and the last one's TTL.
    ending: list[dict[tuple[int, Ttl], _Found]] = []
    for index, candidate in enumerate(candidates):
        here: dict[tuple[int, Ttl], _Found] = {}
        for ttl in ttls:
            mark = Mark(candidate.position, ttl)
            options: list[tuple[int, float, _Found]] = [(1, 0.0, (0.0, ()))]
            for before, found in zip(candidates[:index], ending, strict=True):
                options += [
                    (count + 1, before.tokens, choice)
                    for (count, earlier), choice in found.items()
                    if count < most and (earlier == ttl or earlier == "1h")
                ]
            for count, start, (value, marks) in options:
                written = candidate.tokens - max(start, cached)
                value += worth(candidate.tokens - start, max(0.0, written), candidate.hope, ttl)
                if (count, ttl) not in here or value > here[count, ttl][0]:
                    here[count, ttl] = (value, (*marks, mark))
        ending.append(here)
        best = max(best, *here.values(), key=lambda found: found[0])
    return best[1]
