"""How soon prefixes of a kind come back, learned from those that came before.

A life table: of those that grew so old without coming back, how many came back within the next stretch of time. What is
still under watch counts by half in the stretch that it is in, so that a flood of prompts which nobody sends again is
known for what it is long before an hour is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

EDGES = (0.0, 20.0, 60.0, 150.0, 300.0, 900.0, 1_800.0, 3_600.0)
"""Ages in seconds between which the chance is told apart; at 300 and at 3,600 Anthropic's entries end."""
_BINS = len(EDGES) - 1
_SHORT = EDGES.index(300.0)
_DOUBT = 1.0
"""Cases as whose experience that of the wider kind counts. Of the widest, nothing is supposed to come back."""
_FADE_AFTER = 256.0
"""Cases after which all that is known counts half."""
_MOST_WATCHED = 1_024
"""At once, of one kind; where there are more, those are a sample."""
_RENEWAL_S = 1.0
"""How long what was computed of the table is used."""


class Chance(NamedTuple):
    """That something is used again."""

    short: float
    """Within 5 minutes."""
    long: float
    """Within an hour."""


NEVER = Chance(0.0, 0.0)


class Watch:
    """A prefix that is waited for, until it comes back."""

    __slots__ = ("back", "bin", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.bin = 0
        self.back = False


class Returns:
    """The life table of one kind of prefix. What it learns, that of a wider kind (`above`) learns too."""

    __slots__ = ("_computed", "_known", "_queues", "above", "passed", "returned", "waiting")

    def __init__(self, above: Returns | None = None) -> None:
        self.above = above
        self.returned = [0.0] * _BINS
        """Those that came back at that age."""
        self.passed = [0.0] * _BINS
        """Those that grew older than that."""
        self.waiting = [0] * _BINS
        """Those that are of that age now."""
        self._queues: tuple[deque[Watch], ...] = tuple(deque() for _ in range(_BINS))
        """Those in each stretch, oldest first; one that came back is left in until its turn comes."""
        self._computed = -_RENEWAL_S
        self._known = NEVER

    @property
    def cases(self) -> float:
        """Those of which it is known whether they come back."""
        return sum(self.returned) + self.passed[_SHORT - 1]

    def begin(self, now: float) -> Watch | None:
        """Wait for something; None where enough are waited for."""
        self._advance(now)
        if sum(map(len, self._queues)) >= _MOST_WATCHED:
            return None
        watch = Watch(now)
        self._queues[0].append(watch)
        for table in self._all():
            table.waiting[0] += 1
        return watch

    def back(self, watch: Watch, now: float) -> None:
        """What was waited for is here."""
        self._advance(now)
        if watch.since <= now - EDGES[-1]:
            return
        watch.back = True
        for table in self._all():
            table.waiting[watch.bin] -= 1
            table.returned[watch.bin] += 1
            table._fade()

    def chance(self, now: float) -> Chance:
        """For something of this kind that was used just now."""
        if now - self._computed >= _RENEWAL_S:
            self._advance(now)
            self._computed = now
            self._known = self._chance()
        return self._known

    def _chance(self) -> Chance:
        left = 1.0
        short = 0.0
        for at, hazard in enumerate(self._hazards()):
            if at == _SHORT:
                short = 1 - left
            left *= 1 - hazard
        return Chance(short, 1 - left)

    def _hazards(self) -> list[float]:
        above = [0.0] * _BINS if self.above is None else self.above._hazards()
        return [
            (returned + _DOUBT * wider) / (returned + passed + waiting / 2 + _DOUBT)
            for returned, passed, waiting, wider in zip(self.returned, self.passed, self.waiting, above, strict=True)
        ]

    def _advance(self, now: float) -> None:
        """Let those that have grown older go on to the next stretch."""
        for at, queue in enumerate(self._queues):
            edge = now - EDGES[at + 1]
            while queue and (queue[0].back or queue[0].since <= edge):
                watch = queue.popleft()
                if watch.back:
                    continue
                older = at + 1 < _BINS
                for table in self._all():
                    table.waiting[at] -= 1
                    table.passed[at] += 1
                    if older:
                        table.waiting[at + 1] += 1
                    table._fade()
                if older:
                    watch.bin = at + 1
                    self._queues[at + 1].append(watch)

    def _fade(self) -> None:
        if self.returned[0] + self.passed[0] >= _FADE_AFTER:
            for counts in (self.returned, self.passed):
                counts[:] = [count / 2 for count in counts]

    def _all(self) -> Iterator[Returns]:
        """This table and those above it."""
        table: Returns | None = self
        while table is not None:
            yield table
            table = table.above


class Kind:
    """Prefixes of one kind: how soon new ones come back (`first`), and how soon those that did come `again`."""

    __slots__ = ("again", "first")

    def __init__(self, above: Kind | None = None) -> None:
        self.first: Returns = Returns(above.first if above else None)
        self.again: Returns = Returns(above.again if above else None)
