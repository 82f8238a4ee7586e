"""The compiled operations against their torch form and against float64, for every instruction set there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from radixa.kernels.library import INSTRUCTION_SETS, choose, load_library
from radixa.kernels.native import NativeOps
from radixa.kernels.select import make_ops
from radixa.kernels.torch_ops import TorchOps

library = load_library()
pytestmark = pytest.mark.skipif(library is None, reason="the compiled library was not built")

BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
ROWS = pytest.mark.parametrize("rows", [0, 1, 7, 200])


@pytest.fixture(params=INSTRUCTION_SETS)
def ops(request: pytest.FixtureRequest) -> Iterator[NativeOps]:
    assert library is not None
    native = NativeOps(library)
    if choose(library, request.param) != request.param:
        pytest.skip(f"this processor has no {request.param}")
    yield native
    choose(library)


def close(got: Tensor, want: Tensor, dtype: torch.dtype) -> None:
    """`want` is the torch form in float32 on the same inputs: a few roundings away, then rounded to `dtype` once."""
    assert got.dtype == dtype
    torch.testing.assert_close(got.float(), want, rtol=3e-6 if dtype == torch.float32 else 2**-8, atol=1e-6)


@BOTH
@ROWS
@pytest.mark.parametrize("size", [16, 48, 576, 2048])
def test_rms_norm(ops: NativeOps, dtype: torch.dtype, rows: int, size: int) -> None:
    x, weight = (torch.randn(rows, size) * 3).to(dtype), torch.randn(size).to(dtype)
    close(ops.rms_norm(x, weight, 1e-5), TorchOps().rms_norm(x.float(), weight.float(), 1e-5), dtype)


@BOTH
@ROWS
def test_add_rms_norm(ops: NativeOps, dtype: torch.dtype, rows: int) -> None:
    x, residual, weight = torch.randn(rows, 576).to(dtype), torch.randn(rows, 576), torch.randn(576).to(dtype)
    total = residual + x
    got = ops.add_rms_norm(x, residual, weight, 1e-5)
    assert torch.equal(residual, total)
    close(got, TorchOps().rms_norm(total.float(), weight.float(), 1e-5), dtype)


@BOTH
@pytest.mark.parametrize("rows", [1, 7, 200])
@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("normed", [False, True])
def test_rope_store(ops: NativeOps, dtype: torch.dtype, rows: int, size: int, normed: bool) -> None:
    heads, kv_heads, capacity = 6, 2, 300
    qkv = torch.randn(rows, (heads + 2 * kv_heads) * size).to(dtype)
    angles = torch.rand(rows, size // 2) * 6
    slots = torch.randperm(capacity)[:rows]
    norms = (torch.randn(size).to(dtype), torch.randn(size).to(dtype)) if normed else (None, None)
    k, v = (torch.full((kv_heads, capacity, size), torch.nan, dtype=dtype) for _ in range(2))
    want_k, want_v = torch.zeros(kv_heads, capacity, size), torch.zeros(kv_heads, capacity, size)
    got = ops.rope_store(qkv, angles.cos(), angles.sin(), slots, k, v, *norms)
    wide = [None if norm is None else norm.float() for norm in norms]
    want = TorchOps().rope_store(qkv.float(), angles.cos(), angles.sin(), slots, want_k, want_v, *wide)
    close(got, want, dtype)
    close(k[:, slots], want_k[:, slots], dtype)
    assert torch.equal(v[:, slots].float(), want_v[:, slots])
    untouched = torch.ones(capacity, dtype=torch.bool)
    untouched[slots] = False
    assert k[:, untouched].isnan().all()
    assert v[:, untouched].isnan().all()


@BOTH
@ROWS
@pytest.mark.parametrize("size", [16, 1536])
def test_silu_mul(ops: NativeOps, dtype: torch.dtype, rows: int, size: int) -> None:
    gate_up = torch.randn(rows, 2 * size).to(dtype) * 4
    close(ops.silu_mul(gate_up), TorchOps().silu_mul(gate_up.float()), dtype)


@BOTH
def test_silu_mul_at_the_ends(ops: NativeOps, dtype: torch.dtype) -> None:
    gate = torch.tensor([-3e38, -1e4, -200, -88, -30, -1e-30, 0, 1e-30, 20, 88, 200, 1e4, 3e38, 1, -1, 2.0]).to(dtype)
    gate_up = torch.cat([gate, torch.ones(16, dtype=dtype)])[None]
    got, want = ops.silu_mul(gate_up), torch.nn.functional.silu(gate.double()).to(dtype)[None]
    torch.testing.assert_close(got, want, rtol=1e-5 if dtype == torch.float32 else 2**-7, atol=1e-30)


@BOTH
def test_nan_stays_nan(ops: NativeOps, dtype: torch.dtype) -> None:
    """A broken activation must not become a number on its way through."""
    x = torch.ones(1, 64, dtype=dtype)
    x[0, 5] = torch.nan
    assert ops.rms_norm(x, torch.ones(64, dtype=dtype), 1e-5).isnan().all()
    assert ops.silu_mul(x)[0, 5].isnan()


@pytest.mark.parametrize("size", [20, 36])
def test_odd_sizes_go_to_torch(ops: NativeOps, size: int) -> None:
    x, weight = torch.randn(3, size), torch.randn(size)
    assert torch.equal(ops.rms_norm(x, weight, 1e-5), TorchOps().rms_norm(x, weight, 1e-5))
    assert torch.equal(ops.silu_mul(x), TorchOps().silu_mul(x))


def test_which_one_runs() -> None:
    assert make_ops(prefer_native=False).name == "torch"
    assert make_ops().name.startswith("native ")
