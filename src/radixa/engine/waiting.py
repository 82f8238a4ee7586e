"""Who is admitted next: the longest shared prefix first, and nobody starves.

Longest-shared-prefix order is what makes a cache pay (SGLang, Zheng et al. 2024, theorem 3.1), and its known weakness
is starvation. Here every waiting request counts how often a later one was admitted before it; at `max_overtakes` it is
*aged*: aged requests go first, in order of arrival, and while one waits for room nobody else is admitted. So the bound
is exact: **no request is overtaken more than `max_overtakes` times** (law 6).
"""

from __future__ import annotations

from collections.abc import Iterator

from radixa.engine.sequence import Sequence
from radixa.kv.base import PrefixCache

WINDOW = 128
"""Only so many of the oldest requests are compared with the tree: the rest could only overtake, and matching costs
time."""


class WaitingQueue:
    """Requests that are not running, by arrival."""

    def __init__(self, cache: PrefixCache, max_overtakes: int) -> None:
        self._cache = cache
        self._max_overtakes = max_overtakes
        self._waiting: list[Sequence] = []
        self._matches: dict[int, tuple[int, int]] = {}
        """By order: the cache's version and the tokens that matched then."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self._waiting)

    def add(self, sequence: Sequence) -> None:
        """A new request, or one that was retracted and takes its old place."""
        at = len(self._waiting)
        while at > 0 and self._waiting[at - 1].order > sequence.order:
            at -= 1
        self._waiting.insert(at, sequence)

    def remove(self, sequence: Sequence) -> None:
        """Without counting as an overtake: the request was cancelled."""
        self._waiting.remove(sequence)
        self._matches.pop(sequence.order, None)

    def admit(self, sequence: Sequence) -> None:
        """Take it out as the next to run; whoever came before it has been overtaken."""
        self.remove(sequence)
        for other in self._waiting:
            if other.order > sequence.order:
                break
            other.overtaken += 1

    def aged(self, sequence: Sequence) -> bool:
        return sequence.overtaken >= self._max_overtakes

    def in_order(self) -> list[Sequence]:
        """Candidates, best first. Where one is aged, it is the only candidate."""
        for sequence in self._waiting:
            if self.aged(sequence):
                return [sequence]
        return sorted(self._waiting[:WINDOW], key=lambda s: (-self.matched(s), s.order))

    def matched(self, sequence: Sequence) -> int:
        """Tokens of `sequence` that the cache holds now."""
        if not sequence.request.cache.read:
            return 0
        version = self._cache.version
        known = self._matches.get(sequence.order)
        if known is None or known[0] != version:
            known = version, self._cache.peek(sequence.key(), sequence.request.namespace)
            self._matches[sequence.order] = known
        return known[1]
