"""Packed products against plain ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radixa.models.linear import can_pack, make_linear, padded_rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 8, 9, 33, 100])
def test_packed_equals_plain(dtype: torch.dtype, bias: bool, rows: int) -> None:
    torch.manual_seed(rows)
    weight, x = torch.randn(40, 24).to(dtype), torch.randn(rows, 24).to(dtype)
    added = torch.randn(40).to(dtype) if bias else None
    with torch.inference_mode():
        packed = make_linear(weight, added, packed=True)(x)
        plain = make_linear(weight, added, packed=False)(x)
    assert packed.shape == (rows, 40)
    assert packed.is_contiguous()
    torch.testing.assert_close(packed, plain)


@given(st.integers(0, 5000))
def test_padding_is_little(rows: int) -> None:
    padded = padded_rows(rows)
    assert rows <= padded <= rows * 1.25
    assert padded_rows(padded) == padded


def test_few_counts_of_rows_are_left() -> None:
    assert len({padded_rows(rows) for rows in range(1, 577)}) < 50


def test_other_dtypes_are_not_packed() -> None:
    assert not can_pack(torch.float64)
