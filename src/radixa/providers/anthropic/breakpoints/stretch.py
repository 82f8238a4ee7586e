"""What the tree keeps of a stretch of blocks that the same prompts go through."""

from __future__ import annotations

from typing import NamedTuple

from radixa.providers.anthropic.breakpoints.base import SECONDS, Ttl
from radixa.providers.anthropic.breakpoints.returns import NEVER, Chance, Kind, Watch
from radixa.radix import PayloadType

_HALF = 0.5
"""Of a prefix that came back, that it comes again, where that is all that is known. It counts as one visit."""
_MOST_CASES = 3.0
"""Visits as which the experience of its kind counts at most beside its own."""
_FADE_AFTER = 16.0
"""Visits after which what is known of a prefix counts half."""


class Hope(NamedTuple):
    """What is to be expected of a prefix."""

    next: Chance
    """That it comes again."""
    then: Chance
    """That it comes once more after that."""


class End:
    """A block after which a breakpoint stood, or might have stood."""

    __slots__ = ("kind", "ttl", "until", "watch")

    def __init__(self, kind: Kind | None = None, watch: Watch | None = None) -> None:
        self.kind = kind
        """What prefixes like this one do."""
        self.watch = watch
        self.until = 0.0
        """When Anthropic's entry ends, if nobody uses it before; 0.0 without one."""
        self.ttl: Ttl = "5m"
        """Of that entry."""

    def write(self, ttl: Ttl, now: float) -> None:
        self.ttl = ttl
        self.until = now + SECONDS[ttl]

    def visit(self, now: float, times: float) -> None:
        """A prompt goes through that it was waited for; `times` ones came again before."""
        if self.kind is not None and self.watch is not None:
            (self.kind.again if times else self.kind.first).back(self.watch, now)
            self.watch = None if times else self.kind.again.begin(now)


class Stretch:
    """Blocks, and how often and when prompts went through them. `ends`: one for each block, None where none is kept."""

    __slots__ = ("ends", "last", "long", "seen", "short")

    def __init__(self, ends: list[End | None], last: float) -> None:
        self.ends = ends
        self.last = last
        """When a prompt last went through."""
        self.seen = 0.0
        """Times that one came again."""
        self.short = 0.0
        """Of these, within 5 minutes."""
        self.long = 0.0
        """Of these, within an hour."""

    def visit(self, now: float) -> None:
        """A prompt goes through all of it."""
        if self.seen < 2:
            for end in self.ends:
                if end is not None:
                    end.visit(now, self.seen)
        gap = now - self.last
        self.last = now
        self.seen += 1
        self.short += gap <= SECONDS["5m"]
        self.long += gap <= SECONDS["1h"]
        if self.seen >= _FADE_AFTER:
            self.seen /= 2
            self.short /= 2
            self.long /= 2

    def hope(self, end: End | None, now: float) -> Hope:
        """For the prefix that ends there, at one of its blocks."""
        if not self.seen:
            return fresh(end, now)
        kind, doubt = _again(end, now)
        seen = self.seen + doubt
        chance = Chance((self.short + doubt * kind.short) / seen, (self.long + doubt * kind.long) / seen)
        return Hope(chance, chance)


def fresh(end: End | None, now: float) -> Hope:
    """For a prefix that is new."""
    if end is None or end.kind is None:
        return Hope(NEVER, NEVER)
    return Hope(end.kind.first.chance(now), _again(end, now)[0])


def _again(end: End | None, now: float) -> tuple[Chance, float]:
    """The chance that what came back comes again, before anything is known of itself; and how many visits that counts
    as."""
    if end is None or end.kind is None:
        return Chance(_HALF, _HALF), 1.0
    cases = min(end.kind.again.cases / 2, _MOST_CASES)
    kind = end.kind.again.chance(now)
    doubt = 1 + cases
    return Chance((_HALF + cases * kind.short) / doubt, (_HALF + cases * kind.long) / doubt), doubt


def _split(stretch: Stretch, blocks: int) -> tuple[Stretch, Stretch]:
    upper = Stretch(stretch.ends[:blocks], stretch.last)
    lower = Stretch(stretch.ends[blocks:], stretch.last)
    for part in (upper, lower):
        part.seen, part.short, part.long = stretch.seen, stretch.short, stretch.long
    return upper, lower


def _join(first: Stretch, second: Stretch) -> Stretch:
    joined = Stretch(first.ends + second.ends, max(first.last, second.last))
    joined.seen, joined.short, joined.long = first.seen, first.short, first.long
    return joined


STRETCHES: PayloadType[Stretch] = PayloadType(_split, _join)
