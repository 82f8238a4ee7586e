"""Limits that the FlashInfer backend goes by. Set, not fitted: `benchmarks/gpu/attention.py --fit --backend flashinfer`
prints what to fit them to."""

from __future__ import annotations

from functools import partial

from radixa.attention.tree_plan import LengthsByQueries, long_enough

PAYS_FROM: LengthsByQueries = ((16, 4096), (32, 2048), (64, 1024), (128, 512))
"""A level costs two more kernels; with few queries a tile of the prefill kernel is half empty."""

TENSOR_CORES_FROM = 4
"""Query heads of a kv head from which decode's products are worth the matrix units."""

WORKSPACE = 384 << 20
"""Bytes for partial results, one buffer for all plans: kernels that use it run one after the other."""

ENTRIES = 64
"""Of a shared level, in a plan that stays in place. The kernel's grid has one program an entry at least, and partial
results for each; a step with more runs without the graph."""

LEVELS, ROOMS = 2, (4, 16, ENTRIES)
"""Of a plan in place: levels at most, and the numbers of entries that one is made for. Each combination is a graph of
its own, so they are few."""

SLOTS_A_ROW = 16384
"""Pages of a plan in place, on average for each row of its bucket."""

sharing_pays = partial(long_enough, PAYS_FROM)
"""As `tree_plan.Pays`, of a length and a number of queries."""
