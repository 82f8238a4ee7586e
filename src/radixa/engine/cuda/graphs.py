"""Small steps as CUDA graphs: one for each number of rows, kernel of the attention, and way to draw the tokens.

A graph is captured when it is first needed, or before the first request (`CudaRunner.capture`). A step of fewer rows
than a graph has is filled up with rows that see nothing and write to a slot that belongs to nobody.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def buckets(most: int) -> list[int]:
    """The numbers of rows there are graphs for: close enough that filling up costs little, up to `most` itself."""
    small = [1, 2, 4, 8]
    return [rows for rows in (*small, *range(16, most, 16)) if rows < most] + [most]


def bucket(rows: int, most: int) -> int:
    """The smallest of them with room for `rows`."""
    known = buckets(most)
    return known[bisect_left(known, rows)]


class Graphs:
    """Captured work by name, all in one memory pool: only one of them runs at a time."""

    def __init__(self) -> None:
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def replay(self, name: Hashable, work: Callable[[], None], kept: Tensor) -> None:
        """Run `work`, which must be the same whenever `name` is, by its graph; captured now if there is none yet.

        `kept`: what the work both reads and writes. Before it is captured it runs once, and must find that unchanged.
        """
        graph = self._graphs.get(name)
        if graph is None:
            before = kept.clone()
            graph = self._graphs[name] = self._capture(work)
            kept.copy_(before)
        graph.replay()

    def _capture(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            # Compiles what is compiled at first use, which cannot be captured.
            work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph
