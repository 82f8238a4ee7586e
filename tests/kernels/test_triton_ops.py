"""The Triton operations against their torch form: on a GPU, and small ones in Triton's interpreter on a CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radixa.kernels.torch_ops import TorchOps
from tests.attention.triton_device import CUDA, DEVICE


def close(got: Tensor, want: Tensor) -> None:
    """Of the same roundings, but for sums and exponentials in another order; the interpreter cuts a bfloat16 off where
    a GPU rounds it."""
    assert got.dtype == want.dtype
    limit = 1e-5 if got.dtype == torch.float32 else 5e-3 if CUDA else 2e-2
    error = ((got.double() - want.double()).norm() / want.double().norm()).item()
    assert error < limit


BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@BOTH
@pytest.mark.parametrize(("rows", "size"), [(1, 64), (5, 96), (3, 576)])
def test_norms(dtype: torch.dtype, rows: int, size: int) -> None:
    from radixa.kernels.triton.ops import TritonOps

    x, weight = (3 * torch.randn(rows, size)).to(DEVICE, dtype), torch.randn(size).to(DEVICE, dtype)
    close(TritonOps().rms_norm(x, weight, 1e-5), TorchOps().rms_norm(x, weight, 1e-5))
    residual = torch.randn(rows, size).to(DEVICE)
    added = residual.clone()
    close(TritonOps().add_rms_norm(x, added, weight, 1e-5), TorchOps().add_rms_norm(x, residual, weight, 1e-5))
    assert torch.equal(added, residual)
    with pytest.raises(ValueError, match="float32"):
        TritonOps().add_rms_norm(x, added.to(torch.float16), weight, 1e-5)


@BOTH
@pytest.mark.parametrize(("rows", "size"), [(1, 48), (3, 2100)])
def test_silu_mul(dtype: torch.dtype, rows: int, size: int) -> None:
    from radixa.kernels.triton.ops import TritonOps

    gate_up = torch.randn(rows, 2 * size).to(DEVICE, dtype)
    close(TritonOps().silu_mul(gate_up), TorchOps().silu_mul(gate_up))


@BOTH
@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize(("heads", "kv_heads", "size"), [(9, 3, 64), (6, 2, 48), (8, 8, 128)])
def test_rope_store(dtype: torch.dtype, normed: bool, heads: int, kv_heads: int, size: int) -> None:
    from radixa.kernels.triton.ops import TritonOps

    rows, capacity = 4, 12
    qkv = torch.randn(rows, (heads + 2 * kv_heads) * size).to(DEVICE, dtype)
    angles = torch.rand(rows, size // 2).to(DEVICE) * 6
    slots = torch.tensor([9, 3, 11, 0], device=DEVICE)
    norms = [torch.randn(size).to(DEVICE, dtype) for _ in "qk"] if normed else [None, None]
    found = [torch.full((kv_heads, capacity, size), 7.0, device=DEVICE, dtype=dtype) for _ in "kv"]
    wanted = [tensor.clone() for tensor in found]
    q = TritonOps().rope_store(qkv, angles.cos(), angles.sin(), slots, *found, *norms, 1e-6)
    close(q, TorchOps().rope_store(qkv, angles.cos(), angles.sin(), slots, *wanted, *norms, 1e-6))
    for got, want in zip(found, wanted, strict=True):
        close(got, want)
    assert torch.equal(found[1], wanted[1])


def test_greedy_takes_the_lowest_of_the_highest() -> None:
    from radixa.kernels.triton.greedy import greedy

    logits = torch.randn(4, 5000).to(DEVICE)
    logits[1, [17, 4000, 4999]] = 9.0
    logits[2] = float("-inf")
    logits[3] = 0.0
    out = torch.full((4,), -1, dtype=torch.int32, device=DEVICE)
    greedy(logits, out)
    assert out.tolist() == [int(logits[0].argmax()), 17, 0, 0]
