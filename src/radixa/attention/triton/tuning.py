"""Shapes of tiles and the limits that the planner goes by.

Measured on an NVIDIA H100 80GB HBM3 with torch 2.11.0 and triton 3.6.0, for Llama-3-8B's heads in bfloat16: the tiles
(ten shapes of the small one and fourteen of the big ones, over the steps of `benchmarks/gpu/attention.py`),
`BIG_TILE_FROM`, and where sharing pays, which the same script prints with `--fit`. Loading by tensor descriptors
instead of pointers was no faster. The other limits are set, not fitted.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from radixa.attention.tree_plan import LengthsByQueries, long_enough


class Launch(NamedTuple):
    """How a kernel is compiled, and how many programs of it a multiprocessor holds: the grid has as many for each."""

    warps: int
    stages: int
    tokens: int
    """Of a tile of K or V."""
    programs: int
    registers: int | None = None
    """At most so many a thread."""


SMALL = {1: Launch(4, 3, 64, programs=1), 2: Launch(4, 3, 64, programs=2)}
"""By programs (`Variant.small`). Beside a big tile there is room for one at a time; two share the memory's bandwidth
better while nothing else runs."""

BIG_ALONE = {64: Launch(4, 3, 64, 1), 128: Launch(8, 3, 64, 1)}
BIG_BESIDE = {64: Launch(4, 3, 64, 1), 128: Launch(8, 3, 64, 1, registers=184)}
"""By rows. What is beside leaves registers for a program of the small tile, and the two are done at the same time: one
is bound by arithmetic, the other by memory."""

MERGE_PROGRAMS, MERGE_WARPS, MERGE_PARTS = 32, 1, 8
"""Of the merging kernel: programs for each multiprocessor, warps, parts of a row read at once."""

SMALL_ALONE_BELOW, BIG_TILE_FROM = 1, 4
"""Of the work of big tiles (tiles of 64 rows, times the tokens of each) to the tokens that small tiles read: below the
first the small tiles run mostly alone, above the second a big tile has 128 rows."""

ITEM_TOKENS, FEWEST_TOKENS = 48, 128
"""Beginning an item and writing its result costs as much as so many tokens; below so many it is not cut further."""

CUT_STEP, SLACK = 64, 0.04
"""Cuts are at multiples of so many tokens. A strip that ends within this part of a bin's share of a full bin is left
whole."""

FRAGMENT, FEW_RUNS = 32, 4
"""A table of slots is followed where runs have fewer tokens than this, and a sequence more runs, both on average: a
tile reads a short run half empty. Elsewhere runs are 2 % faster in a flat plan and 25 % in one with big tiles."""

PAYS_FROM: LengthsByQueries = ((2, 1024), (12, 512), (16, 256), (17, 1024), (32, 512), (128, 256))
"""Sixteen fill a small tile; from seventeen on a second kernel is needed."""

sharing_pays = partial(long_enough, PAYS_FROM)
"""As `tree_plan.Pays`, of a length and a number of queries."""
