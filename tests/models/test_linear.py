"""Every kind of matrix product against `F.linear`."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from radixa.models.linear import KINDS, kinds_for, make_linear, padded_rows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 8, 9, 33, 100])
def test_equals_f_linear(kind: str, dtype: torch.dtype, bias: bool, rows: int) -> None:
    torch.manual_seed(rows)
    weight, x = torch.randn(40, 24).to(dtype), torch.randn(rows, 24).to(dtype)
    added = torch.randn(40).to(dtype) if bias else None
    with torch.inference_mode():
        found = make_linear(weight, added, kind)(x)
        wanted = functional.linear(x, weight, added)
    assert found.shape == (rows, 40)
    assert found.is_contiguous()
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_wide_results_are_float32(kind: str, dtype: torch.dtype) -> None:
    weight, x = torch.randn(40, 24).to(dtype), torch.randn(5, 24).to(dtype)
    with torch.inference_mode():
        found = make_linear(weight, None, kind, wide=True)(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.to(dtype), functional.linear(x, weight))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_does_not_take_goes_to_torch(kind: str) -> None:
    weight, x = torch.randn(6, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    assert torch.equal(make_linear(weight, None, kind)(x), functional.linear(x, weight))
    odd, x = torch.randn(6, 3).bfloat16(), torch.randn(2, 3).bfloat16()
    torch.testing.assert_close(make_linear(odd, None, kind)(x), functional.linear(x, odd))


def test_there_is_always_a_kind() -> None:
    assert kinds_for(torch.float64) == ["torch"]
    assert kinds_for(torch.float32)[-1] == kinds_for(torch.bfloat16)[-1] == "torch"


@given(st.integers(0, 5000))
def test_padding_is_little(rows: int) -> None:
    padded = padded_rows(rows)
    assert rows <= padded <= rows * 1.25
    assert padded_rows(padded) == padded


def test_few_counts_of_rows_are_left() -> None:
    assert len({padded_rows(rows) for rows in range(1, 577)}) < 50
