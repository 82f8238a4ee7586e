"""Compiled matrix products against float64, for every instruction set there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from radixa.kernels.library import INSTRUCTION_SETS, choose, load_library
from radixa.kernels.product import PackedProduct, width

library = load_library()
pytestmark = pytest.mark.skipif(library is None, reason="the compiled library was not built")

SHAPES = [(96, 64), (40, 24), (33, 2), (7, 10), (576, 1536)]
ROWS = [0, 1, 2, 5, 6, 7, 11, 12, 13, 96, 97, 200]


KERNELS = [*((name, torch.float32) for name in INSTRUCTION_SETS), ("avx512_bf16", torch.bfloat16)]


@pytest.fixture(params=KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[1]}")
def dtype(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    """The dtype to test, with the library set to one of the instruction sets."""
    name, wanted = request.param
    assert library is not None
    if choose(library, name) != name:
        choose(library)
        pytest.skip(f"this processor has no {name}")
    assert width(library, wanted) > 0
    yield wanted
    choose(library)


def make(weight: Tensor, bias: Tensor | None = None) -> PackedProduct:
    assert library is not None
    return PackedProduct(library, weight, bias)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("biased", [False, True])
def test_equals_float64(dtype: torch.dtype, shape: tuple[int, int], biased: bool) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape).to(dtype)
    bias = torch.randn(shape[0]).to(dtype) if biased else None
    product = make(weight, bias)
    for rows in ROWS:
        x = torch.randn(rows, shape[1]).to(dtype)
        found = product(x)
        wanted = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
        assert found.shape == (rows, shape[0])
        # Sums of products of normal numbers: rounding grows with the root of their count.
        scale = shape[1] ** 0.5
        rtol, atol = (1e-5, 4e-6 * scale) if dtype == torch.float32 else (2**-8, 1e-5 * scale)
        torch.testing.assert_close(found.double(), wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("biased", [False, True])
def test_wide_results_are_not_rounded(dtype: torch.dtype, shape: tuple[int, int], biased: bool) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape).to(dtype)
    bias = torch.randn(shape[0]).to(dtype) if biased else None
    assert library is not None
    narrow, wide = PackedProduct(library, weight, bias), PackedProduct(library, weight, bias, wide=True)
    for rows in ROWS:
        x = torch.randn(rows, shape[1]).to(dtype)
        found = wide(x)
        assert found.dtype == torch.float32
        assert torch.equal(found.to(dtype), narrow(x))
        wanted = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5 * shape[1] ** 0.5)


@pytest.mark.parametrize("shape", [(40, 24), (576, 1536)])
def test_a_row_does_not_depend_on_its_neighbours_nor_on_threads(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    product = make(torch.randn(shape).to(dtype), torch.randn(shape[0]).to(dtype))
    x = torch.randn(200, shape[1]).to(dtype)
    whole = product(x)
    for rows in (1, 5, 12, 13, 120):
        assert torch.equal(product(x[:rows]), whole[:rows])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(product(x), whole)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_the_weight(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    weight = torch.randn(shape).to(dtype)
    ids = torch.tensor([shape[0] - 1, 0, shape[0] // 2, 0])
    rows = make(weight).rows(ids)
    assert rows.is_contiguous()
    assert torch.equal(rows, weight[ids])
    assert make(weight).rows(ids[:0]).shape == (0, shape[1])


def test_nan_and_infinity_stay_in_their_row(dtype: torch.dtype) -> None:
    x = torch.ones(3, 24).to(dtype)
    x[1, 5] = torch.nan
    found = make(torch.ones(40, 24).to(dtype))(x)
    assert found[1].isnan().all()
    assert (found[[0, 2]] == 24).all()


def test_what_it_does_not_take_is_refused() -> None:
    product = make(torch.randn(40, 24))
    for x in (torch.randn(3, 22), torch.randn(24, 3).T, torch.randn(3, 24).double()):
        with pytest.raises(ValueError, match=r"expected a contiguous \[N, 24\] of torch\.float32"):
            product(x)
    assert library is not None
    assert width(library, torch.float64) == 0
