"""The rows of consecutive decode steps: as long as the same sequences go on, only their positions count up.

A plan of the attention is made once for a *period*: until a sequence comes, goes or runs out of slots that were named
in advance, or until the tree moves one's path. Within a period the host does next to nothing for a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radixa.attention.base import SequenceLayout
from radixa.engine.batch import path
from radixa.engine.cuda.rows import Feed, Rows
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence
from radixa.kv.base import PrefixCache, Segment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

AHEAD = 128
"""Slots that a sequence is given in advance when it has less than half as many: so long, or half as long, is a period
in which nobody comes or goes."""


@dataclass(slots=True)
class Period:
    """`sequences` in the order of their rows; positions and slots [N] of the step at hand."""

    arrival: list[Sequence]
    """In the scheduler's order."""
    sequences: list[Sequence]
    layouts: list[SequenceLayout]
    """Of each, with the slots named in advance at the end."""
    ahead: list[int]
    positions: Ints
    coming: Ints
    """[N, steps]: the slots of the steps that the period serves."""
    at: list[int]
    version: int
    step: int = 0

    @classmethod
    def begin(cls, work: list[Work], cache: PrefixCache) -> Period:
        arrival = [w.sequence for w in work]
        _name_in_advance(arrival, cache)
        found = [(s, _segments(s)) for s in arrival]
        found.sort(key=lambda entry: path(entry[1]))
        sequences = [sequence for sequence, _ in found]
        ahead = [_room(s) - s.computed - 1 for s in sequences]
        coming = np.empty((len(found), min(AHEAD, *ahead) + 1), np.int32)
        for row, (sequence, segments) in enumerate(found):
            _fill(coming[row], segments, sequence.computed)
        return cls(
            arrival=arrival,
            sequences=sequences,
            layouts=[SequenceLayout(1, segments) for _, segments in found],
            ahead=ahead,
            positions=np.array([s.computed for s in sequences], np.int32),
            coming=coming,
            at=list(range(len(sequences))),
            version=cache.version,
        )

    @property
    def first(self) -> bool:
        """Whether the step at hand is its first."""
        return self.step == 0

    def advance(self, work: list[Work], cache: PrefixCache) -> bool:
        """Whether the period serves this step too; then it has moved on to it."""
        over = self.step + 1 == self.coming.shape[1]
        if over or self.version != cache.version or self.arrival != [w.sequence for w in work]:
            return False
        self.step += 1
        self.positions += 1
        return True

    def rows(self, feed: Feed) -> Rows:
        """The step at hand. The arrays are the period's own: they are good until the next step."""
        token_ids = np.array([0 if s.unread else s.ids(s.computed, s.length)[0] for s in self.sequences], np.int32)
        slots = self.coming[:, self.step]
        return Rows(
            token_ids,
            self.positions,
            slots,
            feed(self.sequences),
            self.layouts,
            [room - self.step for room in self.ahead],
            self.sequences,
            self.at,
        )


def decodes(work: list[Work]) -> bool:
    """Whether each sequence of a step has one token to compute, and the next one drawn after it."""
    return all(w.tokens == 1 and not w.sequence.prefilling for w in work)


def _name_in_advance(sequences: list[Sequence], cache: PrefixCache) -> None:
    """Slots for the tokens to come, so that plans last. Nothing is evicted for it; where most of the pool is free, an
    answer gets all that it can need, in one run."""
    stats = cache.stats()
    free = stats.free
    for sequence in sequences:
        lease = sequence.lease
        assert lease is not None
        left = sequence.prompt_tokens + sequence.max_tokens - lease.room
        if lease.room - sequence.length >= AHEAD // 2 or left <= 0:
            continue
        want = left if free > stats.capacity // 2 else min(left, AHEAD)
        if free < 2 * want:
            return
        cache.extend(lease, lease.room + want)
        free -= want


def _room(sequence: Sequence) -> int:
    assert sequence.lease is not None
    return sequence.lease.room


def _segments(sequence: Sequence) -> list[Segment]:
    assert sequence.lease is not None
    return sequence.lease.segments(sequence.lease.room)


def _fill(slots: Ints, segments: list[Segment], position: int) -> None:
    """The slots of the positions from `position` on."""
    end = sum(segment.length for segment in segments)
    stop = position + len(slots)
    for segment in reversed(segments):
        start = end - segment.length
        low, high = max(start, position), min(end, stop)
        if low < high:
            first = segment.start + low - start
            slots[low - position : high - position] = np.arange(first, first + high - low)
        if start <= position:
            return
        end = start
