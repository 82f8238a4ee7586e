"""A matrix product with weights, as fast as this machine's torch has it.

oneDNN can lay weights out in the blocks that its kernels read. A packed product takes half the time of `F.linear` for
few rows, and somewhat less for many; in bfloat16 its results are the same to the last bit. The packed form replaces the
plain one, so it costs no memory.

oneDNN compiles a kernel for every number of rows it meets, about half a megabyte each, and a server meets every number
of rows there is. So rows are padded up to one of a few dozen counts (`padded_rows`), which costs a few percent of time
and saves hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Linear = Callable[["Tensor"], "Tensor"]
"""[N, in] -> [N, out]."""


def make_linear(weight: Tensor, bias: Tensor | None, *, packed: bool) -> Linear:
    """The product with `weight` [out, in] plus `bias` [out]. `packed` asks for oneDNN's layout where there is one."""
    if packed and can_pack(weight.dtype):
        return _packed(weight, bias)
    return lambda x: functional.linear(x, weight, bias)


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this build and CPU have oneDNN's packed products for `dtype`."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def padded_rows(rows: int) -> int:
    """How many rows `rows` are computed as: up to 8 themselves, up to 64 at most a quarter more, then an eighth."""
    if rows <= 8:
        return rows
    step = 1 << ((rows - 1).bit_length() - (3 if rows <= 64 else 4))
    return -(-rows // step) * step


def _packed(weight: Tensor, bias: Tensor | None) -> Linear:
    blocks = torch.ops.mkldnn._reorder_linear_weight(weight, None)
    product = torch.ops.mkldnn._linear_pointwise.default

    def apply(x: Tensor) -> Tensor:
        rows = x.shape[0]
        padded = padded_rows(rows)
        if padded == rows:
            result: Tensor = product(x, blocks, bias, "none", [], "")
            return result
        wide = x.new_zeros(padded, x.shape[1])
        wide[:rows] = x
        result = product(wide, blocks, bias, "none", [], "")
        return result[:rows]

    return apply
