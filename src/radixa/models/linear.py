"""Matrix products with weights: three kinds, of which the fastest on this machine is taken (`probe.py`).

`native` is our own C (`kernels.product`): first for few rows, and for many as well where the processor has no matrix
unit. `onednn` is torch's own library, with weights laid out for it. `torch` is `F.linear` on weights as they are: it
runs everywhere, and in float32 equals `transformers` to the last bit. Each keeps its weights once, in its own layout.

oneDNN compiles a kernel for every number of rows it meets, about half a megabyte each, and a server meets every number
of rows there is. So rows are padded up to one of a few dozen counts (`padded_rows`), which costs a few percent of time
and saves hundreds of megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional

from radixa.kernels.library import load_library
from radixa.kernels.product import PackedProduct, width

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("native", "onednn", "torch")


class Linear(Protocol):
    """A product with one weight [outputs, inputs]."""

    def __call__(self, x: Tensor) -> Tensor:
        """x [N, inputs] -> [N, outputs]."""
        ...


def make_linear(weight: Tensor, bias: Tensor | None, kind: str, *, wide: bool = False) -> Linear:
    """The product of that kind; of `torch`'s where the kind does not take this weight. `bias` [outputs].

    `wide` gives float32 results, as a head's logits are. `native` then skips rounding them to bfloat16 first: at the
    size that logits have, many a pair of candidates is equal after that.
    """
    if kind == "native" and takes_native(weight):
        library = load_library()
        assert library is not None, "takes_native says so"
        return PackedProduct(library, weight, bias, wide=wide)
    if weight.is_cuda and weight.dtype == torch.bfloat16:
        from radixa.kernels.triton.product import FewRowsProduct, takes

        library_product = WideProduct(weight, bias) if wide else TorchProduct(weight, bias)
        fits = bias is None and takes(weight)
        return FewRowsProduct(weight, library_product, wide=wide) if fits else library_product
    product = OneDNNProduct(weight, bias) if kind == "onednn" and _takes_onednn(weight) else TorchProduct(weight, bias)
    return (lambda x: product(x).float()) if wide else product


def kinds_for(dtype: torch.dtype) -> list[str]:
    """The kinds that this machine has for `dtype`."""
    weight = torch.empty(16, 16, dtype=dtype)
    takes = {"native": takes_native(weight), "onednn": _takes_onednn(weight), "torch": True}
    return [kind for kind in KINDS if takes[kind]]


def takes_native(weight: Tensor) -> bool:
    library = load_library()
    return library is not None and width(library, weight.dtype) > 0 and weight.shape[1] % 2 == 0


def _takes_onednn(weight: Tensor) -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32


class TorchProduct:
    """`F.linear` on the weight as it lies."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self._bias)


class WideProduct:
    """A product of bfloat16 on a CUDA device whose float32 sums are not rounded back."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        out = torch.mm(x, self._weight.t(), out_dtype=torch.float32)
        return out if self._bias is None else out + self._bias


class OneDNNProduct:
    """oneDNN's product on a weight in its blocks."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.shape[0]
        padded = padded_rows(rows)
        if padded == rows:
            return self._product(x)
        wide = x.new_zeros(padded, x.shape[1])
        wide[:rows] = x
        return self._product(wide)[:rows]

    def _product(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, self._blocks, self._bias, "none", [], "")
        return result


def padded_rows(rows: int) -> int:
    """How many rows `rows` are computed as: up to 8 themselves, up to 64 at most a quarter more, then an eighth."""
    if rows <= 8:
        return rows
    step = 1 << ((rows - 1).bit_length() - (3 if rows <= 64 else 4))
    return -(-rows // step) * step
