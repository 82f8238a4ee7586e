"""Products of few rows in Triton against float64: on a GPU, and small ones in Triton's interpreter on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radixa.kernels.torch_ops import TorchOps
from radixa.models.linear import TorchProduct
from tests.attention.triton_device import CUDA, DEVICE

# The interpreter multiplies bfloat16 as if it were whole numbers.
DTYPE = torch.bfloat16 if CUDA else torch.float16
LIMIT = 3e-3
"""Rounding of the result."""

needs_gpu = pytest.mark.skipif(not CUDA, reason="no CUDA device")


def far(got: Tensor, want: Tensor) -> float:
    return ((got.double() - want).norm() / want.norm()).item()


def made(rows: int, outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(rows, inputs, device=DEVICE).to(DTYPE)
    return x, (torch.randn(outputs, inputs, device=DEVICE) / inputs**0.5).to(DTYPE)


@pytest.mark.parametrize(("outputs", "inputs"), [(64, 256), (128, 2048)])
@pytest.mark.parametrize("rows", [1, 17])
@pytest.mark.parametrize("wide", [False, True])
def test_products_are_right_and_the_same_each_time(rows: int, outputs: int, inputs: int, wide: bool) -> None:
    from radixa.kernels.triton.product import FewRowsProduct

    x, weight = made(rows, outputs, inputs)
    product = FewRowsProduct(weight, TorchProduct(weight, None), wide=wide)
    got = product(x)
    assert got.dtype == (torch.float32 if wide else DTYPE)
    assert far(got, x.double() @ weight.double().t()) < (1e-5 if wide else LIMIT)
    # What is shared between programs is left as it was found.
    assert torch.equal(product(x), got)


@pytest.mark.parametrize("rows", [2, 32])
def test_a_gate_in_one_is_the_gate_in_two(rows: int) -> None:
    from radixa.kernels.triton.ops import TritonOps
    from radixa.kernels.triton.product import FewRowsProduct

    x, weight = made(rows, 256, 256)
    product = FewRowsProduct(weight, TorchProduct(weight, None))
    apart = TorchOps().gated(product, x)
    assert far(TritonOps().gated(product, x), apart.double()) < 2 * LIMIT


def test_a_gate_whose_halves_fit_no_tile_is_made_in_two() -> None:
    from radixa.kernels.triton.ops import TritonOps
    from radixa.kernels.triton.product import FewRowsProduct

    x, weight = made(2, 192, 128)
    product = FewRowsProduct(weight, TorchProduct(weight, None))
    assert not product.gates(2)
    assert far(TritonOps().gated(product, x), TorchOps().gated(product, x).double()) < LIMIT


def test_more_rows_are_the_librarys() -> None:
    from radixa.kernels.triton.ops import TritonOps
    from radixa.kernels.triton.product import ROWS, FewRowsProduct

    x, weight = made(ROWS + 1, 128, 128)
    product = FewRowsProduct(weight, TorchProduct(weight, None))
    for rows in (x, x[:0]):
        assert torch.equal(product(rows), torch.nn.functional.linear(rows, weight))
    assert torch.equal(TritonOps().gated(product, x), TritonOps().silu_mul(product(x)))


def test_weights_that_fit_no_tile_are_left_to_the_library() -> None:
    from radixa.kernels.triton.product import takes

    fitting = torch.zeros(128, 128, dtype=torch.bfloat16, device=DEVICE)
    assert takes(fitting) == CUDA
    assert not any(takes(weight) for weight in (fitting.float(), fitting[:, :96], fitting[:72], fitting.t()))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    ("outputs", "inputs"), [(6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336), (1024, 2048), (1024, 3072)]
)
@pytest.mark.parametrize("rows", [1, 7, 16, 32])
def test_products_of_real_sizes(rows: int, outputs: int, inputs: int) -> None:
    from radixa.kernels.triton.ops import TritonOps
    from radixa.kernels.triton.product import FewRowsProduct

    x, weight = made(rows, outputs, inputs)
    product = FewRowsProduct(weight, TorchProduct(weight, None))
    want = x.double() @ weight.double().t()
    results = [product(x) for _ in range(20)]
    assert far(results[0], want) < LIMIT
    assert all(torch.equal(result, results[0]) for result in results)
    if outputs == 28672:
        assert far(TritonOps().gated(product, x), TorchOps().gated(product, x).double()) < LIMIT
