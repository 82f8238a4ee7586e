"""Which replica of a server a request goes to: load first, then the longest prefix.

A request goes where most of its beginning was seen, unless that replica has too many requests more than the least busy
one. Then the least busy one takes it, and from there on has seen that beginning too: a hot prefix spreads over as many
replicas as it needs. A replica whose breaker is open gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from radixa.providers.upstream.pieces import path_of
from radixa.providers.upstream.tracks import Tracks

MARGIN = 4
"""Running requests by which a replica may be ahead of the least busy one and still get what it has seen before."""


class Replicas:
    """`count` replicas of one server, by their numbers 0 to `count` - 1."""

    def __init__(self, count: int, margin: int = MARGIN, tracks: Tracks | None = None) -> None:
        self.running = [0] * count
        """Requests at each."""
        self.margin = margin
        self._given = [0] * count
        self._tracks = Tracks() if tracks is None else tracks

    def choose(self, prompt: bytes, namespace: str, ready: Sequence[int]) -> int:
        """The replica for a prompt. `ready`: the numbers of those that may be asked; at least one."""
        if len(self.running) == 1:
            return 0
        path = path_of(prompt)
        found = self._choose(path, namespace, ready)
        self._given[found] += 1
        if path:
            self._tracks.add(path, namespace, found)
        return found

    @contextmanager
    def at(self, number: int) -> Iterator[None]:
        """While a request runs at a replica."""
        self.running[number] += 1
        try:
            yield
        finally:
            self.running[number] -= 1

    def _choose(self, path: bytes, namespace: str, ready: Sequence[int]) -> int:
        running = self.running
        least = min(running[number] for number in ready)
        for seen in self._tracks.seen(path, namespace):
            near = [n for n in ready if n in seen.numbers and running[n] <= least + self.margin]
            if near:
                return min(near, key=lambda n: (running[n], self._given[n]))
        return min(ready, key=lambda n: (running[n], self._given[n]))
