"""Rotate q and k, and write k and v to their slots: one pass over the projected rows."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from radixa.kernels.triton.early import early

if TYPE_CHECKING:
    from torch import Tensor

HEADS = 8
"""Heads of one row that a program takes."""


@triton.jit
def _rope_store_kernel(
    qkv,
    cos,
    sin,
    slots,
    k_layer,
    v_layer,
    q_norm,
    k_norm,
    q_out,
    heads,
    kv_heads,
    head_stride,
    eps,
    NORM: tl.constexpr,
    HALF: tl.constexpr,
    PAIRS: tl.constexpr,
    HEADS: tl.constexpr,
    EARLY: tl.constexpr,
):
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1) * HEADS + tl.arange(0, HEADS)
    pair = tl.arange(0, PAIRS)
    total = heads + 2 * kv_heads
    inside = (head < total)[:, None] & (pair < HALF)[None, :]
    is_q = head < heads
    is_v = head >= heads + kv_heads
    is_k = (head >= heads) & (head < heads + kv_heads)

    source = qkv + (row * total + head)[:, None] * (2 * HALF) + pair[None, :]
    first_in = tl.load(source, mask=inside, other=0.0)
    second_in = tl.load(source + HALF, mask=inside, other=0.0)
    first = first_in.to(tl.float32)
    second = second_in.to(tl.float32)
    if NORM:
        # Rounded where the plain form rounds: after the scaling and after the product with the weight.
        mean = (tl.sum(first * first, axis=1) + tl.sum(second * second, axis=1)) / (2 * HALF)
        scale = (1.0 / tl.sqrt(mean + eps))[:, None]
        within = pair < HALF
        q_first = tl.load(q_norm + pair, mask=within, other=0.0)[None, :]
        q_second = tl.load(q_norm + HALF + pair, mask=within, other=0.0)[None, :]
        k_first = tl.load(k_norm + pair, mask=within, other=0.0)[None, :]
        k_second = tl.load(k_norm + HALF + pair, mask=within, other=0.0)[None, :]
        kind = is_q[:, None]
        dtype = qkv.dtype.element_ty
        first = (first * scale).to(dtype).to(tl.float32) * tl.where(kind, q_first, k_first).to(tl.float32)
        second = (second * scale).to(dtype).to(tl.float32) * tl.where(kind, q_second, k_second).to(tl.float32)
        first = first.to(dtype).to(tl.float32)
        second = second.to(dtype).to(tl.float32)
    c = tl.load(cos + row * HALF + pair, mask=pair < HALF, other=0.0)[None, :]
    s = tl.load(sin + row * HALF + pair, mask=pair < HALF, other=0.0)[None, :]
    turned_first = (first * c - second * s).to(qkv.dtype.element_ty)
    turned_second = (second * c + first * s).to(qkv.dtype.element_ty)

    q_at = q_out + (row * heads + head)[:, None] * (2 * HALF) + pair[None, :]
    tl.store(q_at, turned_first, mask=inside & is_q[:, None])
    tl.store(q_at + HALF, turned_second, mask=inside & is_q[:, None])
    slot = tl.load(slots + row).to(tl.int64)
    k_at = k_layer + (head - heads).to(tl.int64)[:, None] * head_stride + slot * (2 * HALF) + pair[None, :]
    tl.store(k_at, turned_first, mask=inside & is_k[:, None])
    tl.store(k_at + HALF, turned_second, mask=inside & is_k[:, None])
    v_at = v_layer + (head - heads - kv_heads).to(tl.int64)[:, None] * head_stride + slot * (2 * HALF) + pair[None, :]
    tl.store(v_at, first_in, mask=inside & is_v[:, None])
    tl.store(v_at + HALF, second_in, mask=inside & is_v[:, None])


def rope_store(
    qkv: Tensor,
    cos: Tensor,
    sin: Tensor,
    slots: Tensor,
    k_layer: Tensor,
    v_layer: Tensor,
    q_norm: Tensor | None,
    k_norm: Tensor | None,
    eps: float,
) -> Tensor:
    """`kernels.base.Ops.rope_store`; both norms or neither."""
    rows, width = qkv.shape
    kv_heads, _, size = k_layer.shape
    heads = width // size - 2 * kv_heads
    q = qkv.new_empty(rows, heads, size)
    grid = (rows, triton.cdiv(heads + 2 * kv_heads, HEADS))
    pairs = triton.next_power_of_2(size // 2)
    norm = q_norm is not None and k_norm is not None
    _rope_store_kernel[grid](
        qkv,
        cos,
        sin,
        slots,
        k_layer,
        v_layer,
        q_norm if norm else qkv,
        k_norm if norm else qkv,
        q,
        heads,
        kv_heads,
        k_layer.stride(0),
        eps,
        norm,
        size // 2,
        pairs,
        HEADS,
        num_warps=2,
        **early(qkv),
    )
    return q
