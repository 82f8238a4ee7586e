"""Matrix products with weights packed into blocks, in compiled C (`c/product.c`).

A decoder's products are bound by how fast weights arrive from memory while few sequences run, and by arithmetic while a
prompt is read. The blocks are read once, from front to back, by a register tile that works for one row as for hundreds.
A row's result depends on that row alone, to the last bit: a request gets the same answer alone and in a batch.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class PackedProduct:
    """`x @ weight.T + bias` for one weight [outputs, inputs], which is kept in packed form only."""

    def __init__(self, library: ctypes.CDLL, weight: Tensor, bias: Tensor | None, *, wide: bool = False) -> None:
        """`width(library, weight.dtype)` must not be 0, and `inputs` must be even. `wide` gives float32 results."""
        self.outputs, self.inputs = weight.shape
        self.dtype = weight.dtype
        self._c = library
        self._bias = bias
        self._bf16 = weight.dtype == torch.bfloat16
        self._out_dtype = torch.float32 if wide else weight.dtype
        self._pairs = 2 if self._bf16 else 1
        self._width = width(library, weight.dtype)
        count = -(-self.outputs // self._width)
        if count * self._width > self.outputs:
            weight = functional.pad(weight, (0, 0, 0, count * self._width - self.outputs))
        words = weight.contiguous().view(torch.int32).view(count, self._width, self.inputs // self._pairs)
        self._blocks = words.transpose(1, 2).contiguous()
        """Words of four bytes, float32 or pairs of bfloat16 [blocks, inputs / pairs, width]."""

    def __call__(self, x: Tensor) -> Tensor:
        """x [N, inputs], contiguous, of the weight's dtype -> [N, outputs], of that dtype or float32."""
        rows = x.shape[0]
        if not x.is_contiguous() or x.dtype != self.dtype or x.shape[1] != self.inputs:
            raise ValueError(f"expected a contiguous [N, {self.inputs}] of {self.dtype}")
        out = torch.empty(rows, self.outputs, dtype=self._out_dtype)
        wide = self._out_dtype == torch.float32
        shape = (ctypes.c_int64 * 5)(self._bf16, wide, rows, self.inputs, self.outputs)
        self._c.radixa_product(
            ctypes.addressof(shape),
            self._blocks.data_ptr(),
            x.data_ptr(),
            None if self._bias is None else self._bias.data_ptr(),
            out.data_ptr(),
            torch.get_num_threads(),
        )
        return out

    def rows(self, ids: Tensor) -> Tensor:
        """Rows of the weight, by their numbers [N] int64 -> [N, inputs]: a tied head is the embedding as well."""
        picked = self._blocks[ids // self._width, :, ids % self._width]
        return picked.view(self.dtype)


def width(library: ctypes.CDLL, dtype: torch.dtype) -> int:
    """Outputs of a block; 0 where this processor has no kernel for `dtype`."""
    if dtype not in (torch.float32, torch.bfloat16):
        return 0
    found: int = library.radixa_product_width(dtype == torch.bfloat16)
    return found
