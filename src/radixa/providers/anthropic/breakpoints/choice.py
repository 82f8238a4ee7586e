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


class Rate(NamedTuple):
    """What a token of a prompt is worth in the cache, in input tokens."""

    kept: float
    premium: float
    """What it costs to write it."""


def rate(hope: Hope, ttl: Ttl) -> Rate:
    premium = WRITE[ttl] - 1
    again, then = (hope.next.short, hope.then.short) if ttl == "5m" else (hope.next.long, hope.then.long)
    later = premium if then > 0.99 else min(premium, (1 - READ) * then / (1 - then))
    return Rate(again * (1 - READ + later), premium)


_Found = tuple[float, tuple[Mark, ...]]
_NOTHING: _Found = (0.0, ())
_WORST: _Found = (float("-inf"), ())


def choose(candidates: Sequence[Candidate], cached: float, held: Ttl, most: int = MOST) -> tuple[Mark, ...]:
    """The breakpoints, in order, that are worth most together; none where none is worth anything.

    `candidates` are in order; `cached`: tokens of the prompt that are in the cache now, for `held` after
    their last use whatever is asked. Those that are kept for an hour come before those that are not, as Anthropic asks.
    """
    best = _NOTHING
    # The best choices that end with a candidate: its tokens, and by number of breakpoints those of an hour alone, and
    # those of which the last is kept for 5 minutes.
    ends: list[tuple[float, list[_Found], list[_Found]]] = []
    for position, tokens, hope in candidates:
        if not hope.next.long:
            continue
        long, short, now = rate(hope, "1h"), rate(hope, "5m"), rate(hope, held)
        longs, shorts = [], []
        for count in range(1, most + 1):
            # What comes before: nothing, or one breakpoint less.
            before = [(0.0, _NOTHING, _NOTHING)] if count == 1 else _fewer(ends, count - 1)
            if not before:
                break
            top_long = top_short = _WORST
            for start, after_long, after_short in before:
                written = max(0.0, tokens - max(start, cached))
                kept = (tokens - start - written) * now.kept
                value = after_long[0] + kept + written * (long.kept - long.premium)
                if value > top_long[0]:
                    top_long = (value, after_long[1])
                after = after_long if after_long[0] > after_short[0] else after_short
                value = after[0] + kept + written * (short.kept - short.premium)
                if value > top_short[0]:
                    top_short = (value, after[1])
            longs.append((top_long[0], (*top_long[1], Mark(position, "1h"))))
            shorts.append((top_short[0], (*top_short[1], Mark(position, "5m"))))
        best = max(best, *shorts, *longs, key=_value)
        ends.append((tokens, longs, shorts))
    return best[1]


def _fewer(ends: Sequence[tuple[float, list[_Found], list[_Found]]], count: int) -> list[tuple[float, _Found, _Found]]:
    """What ends with each earlier candidate and has `count` breakpoints."""
    return [(tokens, longs[count - 1], shorts[count - 1]) for tokens, longs, shorts in ends if len(longs) >= count]


def _value(found: _Found) -> float:
    return found[0]
