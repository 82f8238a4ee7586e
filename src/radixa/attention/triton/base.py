"""Attention on a GPU: what the engine hands over, and the plan that replays inside a CUDA graph.

**A row** is one new token of a step. A decoding sequence has one, a prompt's chunk has many. Each row has a `limit`:
how many tokens of its own context it sees, itself included. Limits are a tensor on the device, so that a decode step
only adds one to them, and the rest of the plan stays as it is while sequences grow into slots named in advance.

**A plan** cuts the step into work items. An item is a block of rows that attend to the same tokens (a tree node's, or a
sequence's own) and one stretch of those tokens. All query heads of a kv head and all rows of the block are packed into
one tile, so a node that many sequences share is read once for all of them. The planner spreads the items over a fixed
number of *bins* by cost; bin b and kv head h are one program of the grid, so the grid never changes. Blocks of at most
16 query rows have a small tile, bound by memory, the others a big one, bound by arithmetic; the two kinds are two
kernels that run at the same time, on two streams. Rows with several items get their parts merged by log-sum-exp in a
fixed order, root first: two runs give the same bits. A flat plan is the same thing with every sequence a node of its
own.

How the engine uses it (`backend.TritonAttention` implements `AttentionBackend` of `radixa.attention.base`, with more):

    attention = TritonAttention(HeadShape(kv_heads=8, group=4, size=128), device, mode="auto")

    # Any step, without a graph: prompts, chunks, decoding sequences, mixed. Depth-first order, as for every backend.
    plan = attention.plan(layouts)                               # DevicePlan of its own
    out = attention.attend(q, k_layer, v_layer, plan, scale)     # once a layer

    # Decode in a CUDA graph. `rows` is the bucket. One set of buffers a bucket, filled anew when the tree changes.
    slot = attention.reserve(rows=128, slots=capacity)           # DevicePlan of fixed capacity and addresses
    variant = attention.refill(slot, layouts, ahead=[64, ...])   # host work and one asynchronous copy
    # None: it does not fit, so `plan` this step and run it without the graph. Else
    # capture once for each (rows, variant), and replay the graph of the variant that `refill` returned:
    #     attention.attend(q[rows], k_layer, v_layer, slot, scale, out=out)
    slot.limits[:len(layouts)].add_(1)                           # part of the graph, after the last layer

`ahead[i]`: how many slots at the end of `layouts[i].segments` hold no token yet. The plan then serves 1 + min(ahead)
steps, the limits growing by one with each; `refill` again when a sequence comes, goes, runs out of slots named in
advance, or its segments move (`PrefixCache.version`). `slot.limits` may also be written by the caller; row i's is the
number of its tokens. Rows of the bucket past `len(layouts)` are written as zeros.

A refill's copies are ordered on the current stream: it must not run while another stream replays the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Ints = NDArray[np.int32]


class Variant(NamedTuple):
    """Which compiled kernels a plan is for. A CUDA graph holds one variant; the engine keeps a graph for each it meets.

    `small`: programs of small tiles, which do a decoding sequence's own tokens, that a multiprocessor is given: 1 or 2,
    or 0 where there are none. `wide`: rows of the big tile, 64 or 128, or 0 where there is none (nothing worth sharing,
    no prompt). `page`: 0 where items follow runs of slots; else tokens of a page, 1 or 16, and items follow a table of
    pages.
    """

    small: int
    wide: int
    page: int


class Capacity(NamedTuple):
    """Entries that the buffers of a plan have room for."""

    rows: int
    bins: int
    items: int
    runs: int
    merges: int
    parts: int
    pages: int
    partials: int
    """Rows of partial results, [kv_heads * group, size] float32 each."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """A step's plan before it goes to the device: int32 arrays, laid out as `kernel.py` reads them."""

    variant: Variant
    limits: Ints
    """[rows]: tokens that each row sees."""
    bins: Ints
    """[small bins + 1 + big bins + 1]: bin b of a kind does the items bins[b] to bins[b + 1]."""
    items: Ints
    """[items, 5]: first row, rows, first run, runs, and the first row of partial results or -1 to write to `out`."""
    runs: Ints
    """[runs, 3]: first slot (or place in `pages`, in tokens), tokens, and the position of the first in its context."""
    merges: Ints
    """[merges, 3]: a row, where its list in `parts` begins, and how many parts it has; 0 writes zeros."""
    parts: Ints
    """[parts]: rows of partial results, by row in the order they are merged in, root first."""
    pages: Ints
    """[pages]: pages by number, for a `Variant` with `page`."""
    partials: int


@dataclass(slots=True)
class DevicePlan:
    """A plan on the device. Addresses and `capacity` stay; `variant` is that of the last refill."""

    variant: Variant
    capacity: Capacity
    limits: Tensor
    """[rows] int32, also counted up by the engine between refills."""
    numbers: Tensor
    """The other arrays of a `HostPlan`, one after the other, each as long as `capacity` says."""
    partial: Tensor
    """[partials, kv_heads * group, size] float32."""
    mass: Tensor
    """[partials, kv_heads * group] float32: log-sum-exp of each partial result, to base 2."""
