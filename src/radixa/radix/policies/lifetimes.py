"""How soon something is used again, learned from how soon its like was.

Ages are counted in half octaves of seconds, so a rate known to a factor of 1.4 is known at every scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from types import MappingProxyType
from typing import Any

_STEPS = 2
"""Bins an octave."""
_SHORTEST = -17
"""Octave of the first bin: 2 ** -17 s."""
BINS = 80
EDGES = tuple(2.0 ** (_SHORTEST + number / _STEPS) for number in range(BINS + 1))
_UNKNOWN = 0.1
"""Chance to be used within a bin of which nothing is known. The same for all bins: the older, the less likely soon."""
_SURE = 0.999
_NOBODY = 1e-9
"""Share of what was new that is too small to go on with."""
_FLAT = (_UNKNOWN,) * BINS
_NOTHING = (0.0,) * BINS
_NONE: Mapping[Any, Sequence[float]] = MappingProxyType({})


def age_bin(age: float) -> int:
    """The bin of an age in seconds."""
    if age < EDGES[1]:
        return 0
    return min(int((log2(age) - _SHORTEST) * _STEPS), BINS - 1)


class Lifetimes:
    """Counts of what came under watch at an age, was used again at an age, or went unused.

    They may be counts of anything, such as tokens. What is counted here is counted in `above` too, which knows more
    cases of less likeness.
    """

    __slots__ = ("_chances", "_renewal", "above", "begun", "ended", "used")

    def __init__(self, above: Lifetimes | None = None) -> None:
        self.above = above
        self.begun = [0.0] * BINS
        self.used = [0.0] * BINS
        self.ended = [0.0] * BINS
        """Used again or gone unused."""
        self._chances: Sequence[float] = _FLAT
        self._renewal = -1

    def begin(self, age: float, amount: float) -> None:
        """`amount` came under watch."""
        at = age_bin(age) if age > 0 else 0
        counts: Lifetimes | None = self
        while counts is not None:
            counts.begun[at] += amount
            counts = counts.above

    def use(self, age: float, amount: float) -> None:
        """Of what was watched, `amount` was used again."""
        at = age_bin(age)
        counts: Lifetimes | None = self
        while counts is not None:
            counts.used[at] += amount
            counts.ended[at] += amount
            counts = counts.above

    def end(self, age: float, amount: float) -> None:
        """Of what was watched, `amount` is watched no longer."""
        at = age_bin(age)
        counts: Lifetimes | None = self
        while counts is not None:
            counts.ended[at] += amount
            counts = counts.above

    def fade(self) -> None:
        """Let everything count half."""
        for counts in (self.begun, self.used, self.ended):
            counts[:] = [count / 2 for count in counts]

    def chances(
        self, doubt: float, waiting: Mapping[Lifetimes, Sequence[float]] = _NONE, renewal: int = 0
    ) -> Sequence[float]:
        """For each bin, the chance that what reaches it is used within it; the same until `renewal` changes.

        `doubt`: the amount as whose experience that of `above` counts. `waiting`: of what is watched still, how much is
        of each age now, so that it is not taken for something that grew older unused.
        """
        if self._renewal == renewal:
            return self._chances
        above = _FLAT if self.above is None else self.above.chances(doubt, waiting, renewal)
        young = waiting.get(self, _NOTHING)
        found = []
        watched = 0.0
        for begun, used, ended, now, chance in zip(self.begun, self.used, self.ended, young, above, strict=True):
            watched += begun
            found.append(min((used + doubt * chance) / (max(watched, used) + doubt), _SURE))
            watched -= ended + now
        self._chances = found
        self._renewal = renewal
        return found


def either(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """Chances that one of two independent uses happens."""
    return [1 - (1 - a) * (1 - b) for a, b in zip(first, second, strict=True)]


def worths(chances: Sequence[float], start: int) -> list[float]:
    """For each bin, what it is worth to keep something of that age: uses a second of keeping it.

    It is the best ratio of uses to seconds over all ages at which one could give up (Gittins' index), so a use that is
    sure to come but far away counts, divided by the wait. Ages in bins before `start` are worth what that one is.
    """
    # Uses against seconds, summed over the life of something new: the best ratio from an age on is the slope of the
    # tangent from its point to the curve, whatever the share that gets that far.
    points = [(0.0, 0.0)]
    seconds = uses = 0.0
    left = 1.0
    for at in range(start, BINS):
        chance = chances[at]
        seconds += left * (EDGES[at + 1] - EDGES[at]) * (1 - chance / 2)
        uses += left * chance
        left *= 1 - chance
        points.append((seconds, uses))
        if left < _NOBODY:
            break
    # Where nobody is left, the curve is too short to be measured: what the bin itself gives.
    found = [chance / (EDGES[at + 1] - EDGES[at]) for at, chance in enumerate(chances)]
    hull = [points.pop()]
    for at in range(start + len(points) - 1, start - 1, -1):
        seconds, uses = points[at - start]
        slope = (hull[-1][1] - uses) / (hull[-1][0] - seconds)
        while len(hull) > 1:
            farther = (hull[-2][1] - uses) / (hull[-2][0] - seconds)
            if farther < slope:
                break
            slope = farther
            hull.pop()
        hull.append((seconds, uses))
        found[at] = slope
    found[:start] = [found[start]] * start
    return found
