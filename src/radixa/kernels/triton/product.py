"""Products of few rows with a weight: what decoding spends its time with, and bound by how fast the weight arrives.

A program multiplies a tile of the weight's rows with all of x; where there are fewer tiles than a device has
processors, several share a tile, each a part of the inputs, and the last to be done adds up what all of them found, in
a fixed order. A program's first piece of the weight is on its way before the kernel in front is done (`early.py`).
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from radixa.kernels.triton.early import early
from radixa.kernels.triton.silu import gated

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 32
"""Of more rows the library's products are as fast, or faster."""

INPUTS = 128
"""Of a tile, at a time."""

PROGRAMS, FEWEST_INPUTS = 120, 512
"""A tile is shared until there are so many programs, or each has but so many inputs."""


class Tile(NamedTuple):
    outputs: int
    stages: int
    warps: int


WIDE, NARROW, GATED = Tile(128, 4, 8), Tile(64, 4, 4), Tile(64, 4, 8)
SHARED_BYTES = 200 << 10
"""That the wide tile takes. Devices have as much from compute capability 9.0 on, those for graphics less."""

WIDE_FROM = 16_384
"""Outputs from which the wide tile is faster. Measured on an H100 with Llama-3-8B's weights, of twelve tiles."""


@triton.jit(do_not_specialize=["rows"])
def _product_kernel(
    x, weight, out, parts, arrived, rows, outputs, inputs, each, x_row,
    M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, SPLIT: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Grid (outputs / N, SPLIT): `each` of the inputs for a program. `parts` [SPLIT, outputs, M] float32."""
    tile = tl.program_id(0)
    piece = tl.program_id(1)
    n = tile * N + tl.arange(0, N)
    m = tl.arange(0, M)
    k = piece * each + tl.arange(0, K)
    inside = m < rows
    weight_at = weight + n.to(tl.int64)[:, None] * inputs + k[None, :]
    x_at = x + m[:, None] * x_row + k[None, :]
    if EARLY:
        gdc_launch_dependents()
    first = tl.load(weight_at, eviction_policy="evict_first")
    if EARLY:
        gdc_wait()
    acc = tl.dot(first, tl.trans(tl.load(x_at, mask=inside[:, None], other=0.0)))
    for _ in range(K, each, K):
        weight_at += K
        x_at += K
        some = tl.load(weight_at, eviction_policy="evict_first")
        acc = tl.dot(some, tl.trans(tl.load(x_at, mask=inside[:, None], other=0.0)), acc)
    out_at = out + m[None, :] * outputs + n[:, None]
    if SPLIT == 1:
        tl.store(out_at, acc.to(out.dtype.element_ty), mask=inside[None, :])
    else:
        part_at = parts + n[:, None] * M + m[None, :]
        tl.store(part_at + piece * outputs * M, acc)
        tl.debug_barrier()
        if tl.atomic_add(arrived + tile, 1, sem="acq_rel") == SPLIT - 1:
            total = tl.zeros([N, M], tl.float32)
            for i in range(SPLIT):
                # Past the first cache, which may hold what was there before.
                total += tl.load(part_at + i * outputs * M, cache_modifier=".cg")
            tl.store(out_at, total.to(out.dtype.element_ty), mask=inside[None, :])
            tl.store(arrived + tile, 0)


@triton.jit(do_not_specialize=["rows"])
def _gated_kernel(
    x, weight, out, rows, outputs, inputs, x_row,
    M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Grid (outputs / N): the weight's rows n and outputs + n together, for `silu(gate) * up`."""
    n = tl.program_id(0) * N + tl.arange(0, N)
    m = tl.arange(0, M)
    k = tl.arange(0, K)
    inside = m < rows
    gate_at = weight + n.to(tl.int64)[:, None] * inputs + k[None, :]
    up_at = gate_at + outputs.to(tl.int64) * inputs
    x_at = x + m[:, None] * x_row + k[None, :]
    if EARLY:
        gdc_launch_dependents()
    first_gate = tl.load(gate_at, eviction_policy="evict_first")
    first_up = tl.load(up_at, eviction_policy="evict_first")
    if EARLY:
        gdc_wait()
    turned = tl.trans(tl.load(x_at, mask=inside[:, None], other=0.0))
    gate = tl.dot(first_gate, turned)
    up = tl.dot(first_up, turned)
    for _ in range(K, inputs, K):
        gate_at += K
        up_at += K
        x_at += K
        some_gate = tl.load(gate_at, eviction_policy="evict_first")
        some_up = tl.load(up_at, eviction_policy="evict_first")
        turned = tl.trans(tl.load(x_at, mask=inside[:, None], other=0.0))
        gate = tl.dot(some_gate, turned, gate)
        up = tl.dot(some_up, turned, up)
    # Rounded as the product on its own rounds.
    made = gated(gate.to(out.dtype.element_ty), up.to(out.dtype.element_ty), out)
    tl.store(out + m[None, :] * outputs + n[:, None], made, mask=inside[None, :])


class FewRowsProduct:
    """`x @ weight.T` in bfloat16, of up to `ROWS` rows; of more, and of none, what `others` gives.

    `wide` gives float32 sums that are not rounded back.
    """

    def __init__(self, weight: Tensor, others: Callable[[Tensor], Tensor], *, wide: bool = False) -> None:
        """`takes(weight)` must be true."""
        outputs, inputs = weight.shape
        self._weight = weight
        self._others = others
        self._wide = wide
        self._tile = WIDE if outputs >= WIDE_FROM and outputs % WIDE.outputs == 0 else NARROW
        tiles = outputs // self._tile.outputs
        self._split = 1
        while tiles * self._split < PROGRAMS and inputs % (2 * self._split * INPUTS) == 0:
            if inputs // (2 * self._split) < FEWEST_INPUTS:
                break
            self._split *= 2
        self._arrived = torch.zeros(tiles, dtype=torch.int32, device=weight.device)
        """Programs that are done with each tile: 0 between two products."""

    def __call__(self, x: Tensor) -> Tensor:
        """x [N, inputs], rows contiguous -> [N, outputs]."""
        rows = x.shape[0]
        if not 0 < rows <= ROWS:
            return self._others(x)
        outputs, inputs = self._weight.shape
        padded = 16 if rows <= 16 else 32
        out = torch.empty(rows, outputs, dtype=torch.float32 if self._wide else x.dtype, device=x.device)
        parts = out
        if self._split > 1:
            parts = torch.empty(self._split, outputs, padded, dtype=torch.float32, device=x.device)
        tile = self._tile
        _product_kernel[outputs // tile.outputs, self._split](
            x, self._weight, out, parts, self._arrived, rows, outputs, inputs, inputs // self._split, x.stride(0),
            M=padded, N=tile.outputs, K=INPUTS, SPLIT=self._split,
            num_stages=tile.stages, num_warps=tile.warps, **early(x),
        )  # fmt: skip
        return out

    def gates(self, rows: int) -> bool:
        """Whether `gated` takes so many rows: its tiles must fit each half of the weight."""
        return 0 < rows <= ROWS and self._weight.shape[0] % (2 * GATED.outputs) == 0

    def gated(self, x: Tensor) -> Tensor:
        """`silu(gate) * up` of the product's halves: x [N, inputs] -> [N, outputs / 2]."""
        outputs, inputs = self._weight.shape
        rows = x.shape[0]
        out = torch.empty(rows, outputs // 2, dtype=x.dtype, device=x.device)
        _gated_kernel[outputs // 2 // GATED.outputs,](
            x, self._weight, out, rows, outputs // 2, inputs, x.stride(0),
            M=16 if rows <= 16 else 32, N=GATED.outputs, K=INPUTS,
            num_stages=GATED.stages, num_warps=GATED.warps, **early(x),
        )  # fmt: skip
        return out


def takes(weight: Tensor) -> bool:
    """Whether the kernel's tiles fit the weight, and the device's memory next to its processors."""
    outputs, inputs = weight.shape
    if outputs % NARROW.outputs or inputs % INPUTS or weight.dtype != torch.bfloat16:
        return False
    return weight.is_cuda and weight.is_contiguous() and _shared_bytes(weight.device) >= SHARED_BYTES


@cache
def _shared_bytes(device: torch.device) -> int:
    """What one program may use of a processor's shared memory."""
    # torch's type hints do not know it; AMD's devices do not have it.
    return int(getattr(torch.cuda.get_device_properties(device), "shared_memory_per_block_optin", 0))
