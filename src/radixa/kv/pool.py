"""Which slots are free."""

from __future__ import annotations

from bisect import bisect_left, insort

from radixa.kv.base import SlotRun
from radixa.kv.runs import Runs, join


class SlotPool:
    """Slots 0 to capacity - 1, handed out in contiguous runs: best fit, and neighbouring free runs are always joined.

    Finding a run takes a bisection over the free runs, whatever the capacity.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"the pool has a capacity of {capacity} slots; it needs at least 1")
        self.capacity = capacity
        self.free = capacity
        self._lengths: dict[int, int] = {}
        """Length of each free run, by its first slot."""
        self._starts: dict[int, int] = {}
        """First slot of each free run, by the slot after its last."""
        self._by_length: list[int] = []
        """Free runs, shortest first, each as length * capacity + first slot."""
        self._add(0, capacity)

    def take(self, need: int, want: int = 0, after: int | None = None) -> Runs:
        """At least `need` slots, up to `want` of them where they are free, in as few runs as that can be.

        If slot `after` is free, the first run begins there, so that what ends just before it goes on contiguously.
        ValueError where fewer than `need` are free.
        """
        if need > self.free:
            raise ValueError(f"{need} slots wanted of a pool with {self.free} of {self.capacity} free")
        want = min(max(need, want), self.free)
        taken: Runs = ()
        start = after if after in self._lengths else None
        while need > 0:
            if start is None:
                start = self._best(want)
            run = self._carve(start, want)
            taken = join(taken, (run,))
            need -= run.length
            want -= run.length
            start = None
        return taken

    def give(self, runs: Runs) -> None:
        """Take slots back. ValueError where a run begins or ends inside a free one's bounds or outside the pool."""
        for start, length in runs:
            end = start + length
            if start < 0 or length < 1 or end > self.capacity or start in self._lengths or end in self._starts:
                raise ValueError(f"slots {start} to {end - 1} of {self.capacity} are no run that was handed out")
            before = self._starts.get(start)
            if before is not None:
                self._remove(before)
                start = before
            if end in self._lengths:
                end += self._remove(end)
            self._add(start, end - start)
            self.free += length

    def runs(self) -> Runs:
        """The free runs by first slot."""
        return tuple(SlotRun(start, length) for start, length in sorted(self._lengths.items()))

    def check_integrity(self) -> None:
        """AssertionError unless the free runs are disjoint, apart, and indexed alike."""
        runs = self.runs()
        end = -1
        for start, length in runs:
            assert start > end, f"the free run at slot {start} touches or overlaps the one that ends at {end}"
            assert length > 0, f"the free run at slot {start} is empty"
            end = start + length
        assert end <= self.capacity, f"a free run ends at slot {end} of {self.capacity}"
        assert self.free == sum(run.length for run in runs), f"the pool counts {self.free} free slots; its runs differ"
        assert self._starts == {start + length: start for start, length in runs}, "the index by end is wrong"
        assert self._by_length == sorted(n * self.capacity + start for start, n in runs), "the index by length is wrong"

    def _best(self, want: int) -> int:
        """First slot of the shortest free run of `want` slots or more, else of the longest there is."""
        index = bisect_left(self._by_length, want * self.capacity)
        return self._by_length[min(index, len(self._by_length) - 1)] % self.capacity

    def _carve(self, start: int, want: int) -> SlotRun:
        length = self._remove(start)
        if length > want:
            self._add(start + want, length - want)
            length = want
        self.free -= length
        return SlotRun(start, length)

    def _add(self, start: int, length: int) -> None:
        self._lengths[start] = length
        self._starts[start + length] = start
        insort(self._by_length, length * self.capacity + start)

    def _remove(self, start: int) -> int:
        """Take a free run out of the three indices; its length."""
        length = self._lengths.pop(start)
        del self._starts[start + length]
        del self._by_length[bisect_left(self._by_length, length * self.capacity + start)]
        return length
