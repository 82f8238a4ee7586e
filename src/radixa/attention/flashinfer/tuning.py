"""Limits that the FlashInfer backend goes by. Set, not fitted: `benchmarks/gpu/attention.py --fit --backend flashinfer`
prints what to fit them to."""

from __future__ import annotations

PAYS_FROM = ((16, 4096), (32, 2048), (64, 1024), (128, 512))
"""(query heads of a kv head times sequences, tokens): from so many on, a node of at least that many tokens is shared. A
level costs two more kernels; with few queries a tile of the prefill kernel is half empty."""

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


def sharing_pays(length: int, queries: int) -> bool:
    """Do `queries` query rows of a kv head attend to a node of `length` tokens faster together than one by one?"""
    least = 0
    for rows, tokens in PAYS_FROM:
        if queries >= rows:
            least = tokens
    return 0 < least <= length
