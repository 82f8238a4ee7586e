"""The plain operations against their definitions, computed in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radixa.kernels.torch_ops import TorchOps

OPS = TorchOps()
DTYPES = [torch.float32, torch.bfloat16]


def close(found: Tensor, expected: Tensor) -> None:
    """Equal up to the rounding of the result's dtype and a few float32 sums."""
    rtol, atol = (1e-5, 1e-5) if found.dtype == torch.float32 else (2e-2, 2e-2)
    torch.testing.assert_close(found.double(), expected.double(), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_rms_norm(dtype: torch.dtype, rows: int) -> None:
    torch.manual_seed(0)
    x, weight = (3 * torch.randn(rows, 24)).to(dtype), torch.randn(24).to(dtype)
    before = x.clone()
    expected = x.double() / (x.double().pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight.double()
    found = OPS.rms_norm(x, weight, 1e-5)
    close(found, expected)
    assert found.dtype == dtype
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_add_rms_norm_adds_in_place(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x, residual, weight = torch.randn(5, 24).to(dtype), torch.randn(5, 24), torch.randn(24).to(dtype)
    total = x + residual
    found = OPS.add_rms_norm(x, residual, weight, 1e-5)
    assert found.dtype == dtype
    assert torch.equal(residual, total)
    close(found, OPS.rms_norm(total, weight.float(), 1e-5))


@pytest.mark.parametrize("dtype", DTYPES)
def test_silu_mul(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    gate_up = torch.randn(5, 48).to(dtype)
    gate, up = gate_up.double()[:, :24], gate_up.double()[:, 24:]
    close(OPS.silu_mul(gate_up), gate * torch.sigmoid(gate) * up)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normed", [False, True])
def test_rope_store(dtype: torch.dtype, normed: bool) -> None:
    torch.manual_seed(0)
    rows, heads, kv_heads, size, capacity = 4, 6, 2, 8, 16
    qkv = torch.randn(rows, (heads + 2 * kv_heads) * size).to(dtype)
    angles = torch.rand(rows, size // 2) * 6
    slots = torch.tensor([9, 3, 15, 0])
    k_layer, v_layer = (
        torch.full((kv_heads, capacity, size), 7.0).to(dtype),
        torch.full((kv_heads, capacity, size), 8.0).to(dtype),
    )
    norms = (torch.randn(size).to(dtype), torch.randn(size).to(dtype)) if normed else (None, None)
    q = OPS.rope_store(qkv, angles.cos(), angles.sin(), slots, k_layer, v_layer, *norms, 1e-6)

    def rotated(x: Tensor, weight: Tensor | None) -> Tensor:
        """Each pair (i, i + D / 2) as a complex number, turned."""
        if weight is not None:
            x = OPS.rms_norm(x, weight, 1e-6)
        pairs = torch.complex(x.double()[..., : size // 2], x.double()[..., size // 2 :])
        turned = pairs * torch.polar(torch.ones_like(angles), angles).unsqueeze(1)
        return torch.cat((turned.real, turned.imag), dim=-1)

    split = qkv.view(rows, heads + 2 * kv_heads, size)
    assert q.shape == (rows, heads, size)
    assert q.is_contiguous()
    close(q, rotated(split[:, :heads], norms[0]))
    close(k_layer[:, slots].transpose(0, 1), rotated(split[:, heads : heads + kv_heads], norms[1]))
    assert torch.equal(v_layer[:, slots].transpose(0, 1), split[:, heads + kv_heads :])
    others = [slot for slot in range(capacity) if slot not in slots.tolist()]
    assert (k_layer[:, others] == 7).all()
    assert (v_layer[:, others] == 8).all()


def test_rope_store_writes_into_a_view_of_the_pool() -> None:
    """A layer's K is a view of the whole storage, and stays one."""
    pool = torch.zeros(3, 2, 16, 8)
    qkv = torch.randn(1, 10 * 8)
    angle = torch.zeros(1, 4)
    OPS.rope_store(qkv, angle.cos(), angle.sin(), torch.tensor([5]), pool[1], torch.zeros(2, 16, 8))
    assert pool[1, :, 5].abs().sum() > 0
    assert pool[0].abs().sum() == pool[2].abs().sum() == 0
