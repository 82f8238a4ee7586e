"""The kernel that does a plan's items, for prompts and for decoding alike.

One program does the items of one bin for one kv head, one after the other. An item's tile has a row for each of its
query rows and each query head of the kv head; keys and values come by tiles of `N` tokens, along runs of slots or a
table of pages, with an online softmax in float32 (Milakov and Gimelshein 2018; FlashAttention-2, Dao 2023). An item
that is all its rows attend to writes the output, any other a partial result (Flash-Decoding, Dao et al. 2023).
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from radixa.attention.triton.layout import ITEM, MERGE, RUN

_ITEM = tl.constexpr(ITEM)
_RUN = tl.constexpr(RUN)
_MERGE = tl.constexpr(MERGE)


@triton.jit
def _tiles(
    state_m, state_l, state_acc, q, limit, k, v, pages, start, position, first, last, length, k_slot, v_slot, scale,
    SIZE: tl.constexpr, N: tl.constexpr, PAGE: tl.constexpr, MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Tokens first..last of a run, by tiles. `MASKED`: not every row sees all of a tile, or it ends within one."""
    column = tl.arange(0, SIZE)
    for begin in range(first, last, N):
        token = begin + tl.arange(0, N)
        inside = token < length
        if PAGE == 0:
            slot = start + token
        else:
            place = start + token
            slot = tl.load(pages + place // PAGE, mask=inside, other=0) * PAGE + place % PAGE
        if MASKED:
            keys = tl.load(k + slot[:, None] * k_slot + column[None, :], mask=inside[:, None], other=0.0)
        else:
            keys = tl.load(k + slot[:, None] * k_slot + column[None, :])
        scores = tl.dot(q, tl.trans(keys), input_precision=PRECISION)
        if MASKED:
            seen = (position + token)[None, :] < limit[:, None]
            scores = tl.where(seen & inside[None, :], scores, float("-inf"))
        highest = tl.maximum(state_m, tl.max(scores, 1) * scale)
        # A row that has seen nothing yet keeps -inf; what it is compared with must be a number.
        at_least = tl.where(highest == float("-inf"), 0.0, highest) if MASKED else highest
        weights = tl.exp2(scores * scale - at_least[:, None])
        keep = tl.exp2(state_m - at_least)
        state_l = state_l * keep + tl.sum(weights, 1)
        state_acc = state_acc * keep[:, None]
        if MASKED:
            values = tl.load(v + slot[:, None] * v_slot + column[None, :], mask=inside[:, None], other=0.0)
        else:
            values = tl.load(v + slot[:, None] * v_slot + column[None, :])
        state_acc = tl.dot(weights.to(values.dtype), values, state_acc, input_precision=PRECISION)
        state_m = highest
    return state_m, state_l, state_acc


@triton.jit(do_not_specialize=["bins_at", "items_at", "runs_at", "pages_at"])
def attend_kernel(
    q, k, v, out, partial, mass, limits, numbers, bins_at, items_at, runs_at, pages_at,
    q_row, q_head, k_head, k_slot, v_head, v_slot, out_row, scale,
    GROUP: tl.constexpr, HEADS: tl.constexpr, SIZE: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
    PAGE: tl.constexpr, PEEL: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (kv heads, bins), for tiles of `M` rows and `N` tokens. `scale` is the softmax's, times log2(e).

    `PEEL`: tiles that need no mask have a loop of their own.
    """
    head = tl.program_id(0)
    k += head.to(tl.int64) * k_head
    v += head.to(tl.int64) * v_head
    runs = numbers + runs_at
    pages = numbers + pages_at
    place = tl.arange(0, M)
    column = tl.arange(0, SIZE)
    query_head = head * GROUP + place % GROUP
    bins = numbers + bins_at + tl.program_id(1)
    for i in range(tl.load(bins), tl.load(bins + 1)):
        item = numbers + items_at + i * _ITEM
        row = tl.load(item)
        rows = tl.load(item + 1)
        run = tl.load(item + 2)
        count = tl.load(item + 3)
        part = tl.load(item + 4)
        mine = place // GROUP < rows
        query = row + place // GROUP
        # Places without a query see everything: their numbers stay finite, and nothing of them is stored.
        limit = tl.load(limits + query, mask=mine, other=1 << 30)
        lowest = tl.load(limits + row)
        highest = tl.load(limits + row + rows - 1)
        of_query = query.to(tl.int64) * q_row + query_head * q_head
        queries = tl.load(q + of_query[:, None] + column[None, :], mask=mine[:, None], other=0.0)
        m = tl.full([M], float("-inf"), tl.float32)
        total = tl.zeros([M], tl.float32)
        acc = tl.zeros([M, SIZE], tl.float32)
        for j in range(run, run + count):
            start = tl.load(runs + j * _RUN)
            position = tl.load(runs + j * _RUN + 2)
            # Rows of a prompt's chunk are in order; rows of a shared node all see the whole of it.
            length = tl.minimum(tl.load(runs + j * _RUN + 1), highest - position)
            whole = 0
            if PEEL:
                whole = tl.maximum(tl.minimum(length, lowest - position), 0) // N * N
                m, total, acc = _tiles(
                    m, total, acc, queries, limit, k, v, pages, start, position, 0, whole, length, k_slot, v_slot,
                    scale, SIZE, N, PAGE, False, PRECISION,
                )  # fmt: skip
            m, total, acc = _tiles(
                m, total, acc, queries, limit, k, v, pages, start, position, whole, length, length, k_slot, v_slot,
                scale, SIZE, N, PAGE, True, PRECISION,
            )  # fmt: skip
        some = tl.where(total == 0.0, 1.0, total)
        acc = acc / some[:, None]
        if part < 0:
            of_out = query.to(tl.int64) * out_row + query_head * SIZE
            tl.store(out + of_out[:, None] + column[None, :], acc.to(out.dtype.element_ty), mask=mine[:, None])
        else:
            of_part = (part + place // GROUP).to(tl.int64) * (GROUP * HEADS) + query_head
            tl.store(mass + of_part, tl.where(total == 0.0, float("-inf"), m + tl.log2(some)), mask=mine)
            tl.store(partial + of_part[:, None] * SIZE + column[None, :], acc, mask=mine[:, None])


@triton.jit(do_not_specialize=["merges_at", "parts_at"])
def merge_kernel(
    out, partial, mass, numbers, merges_at, parts_at, out_row,
    QUERY_HEADS: tl.constexpr, SIZE: tl.constexpr, PARTS: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Grid (programs): the parts of each row and head, `PARTS` at a time, in the order of the row's list."""
    column = tl.arange(0, SIZE)
    some = tl.arange(0, PARTS)
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    for work in range(tl.program_id(0), tl.load(numbers) * QUERY_HEADS, tl.num_programs(0)):
        head = work % QUERY_HEADS
        entry = numbers + merges_at + work // QUERY_HEADS * _MERGE
        row = tl.load(entry)
        begin = tl.load(entry + 1)
        count = tl.load(entry + 2)
        highest = float("-inf")
        total = 0.0
        acc = tl.zeros([SIZE], tl.float32)
        for first in range(0, count, PARTS):
            there = first + some < count
            part = tl.load(numbers + parts_at + begin + first + some, mask=there, other=0)
            at = part.to(tl.int64) * QUERY_HEADS + head
            masses = tl.load(mass + at, mask=there, other=float("-inf"))
            values = tl.load(partial + at[:, None] * SIZE + column[None, :], mask=there[:, None], other=0.0)
            now = tl.maximum(highest, tl.max(masses, 0))
            at_least = tl.where(now == float("-inf"), 0.0, now)
            weights = tl.exp2(masses - at_least)
            keep = tl.exp2(highest - at_least)
            total = total * keep + tl.sum(weights, 0)
            acc = acc * keep + tl.sum(weights[:, None] * values, 0)
            highest = now
        acc = acc / tl.where(total == 0.0, 1.0, total)
        tl.store(out + row.to(tl.int64) * out_row + head * SIZE + column, acc.to(out.dtype.element_ty))
