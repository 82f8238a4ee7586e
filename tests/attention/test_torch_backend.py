"""The torch backend against attention in float64, and against torch's own on a whole prompt."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from attention_cases import make_case, random_layouts
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.attention.base import SequenceLayout
from radixa.attention.torch_backend import TorchAttention
from radixa.kv.base import Segment


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sequences=st.integers(1, 24),
    levels=st.integers(0, 5),
    group=st.sampled_from([1, 3, 8]),
    size=st.sampled_from([16, 64]),
    mode=st.sampled_from(["auto", "on", "off"]),
)
def test_float32_matches_float64(seed: int, sequences: int, levels: int, group: int, size: int, mode: str) -> None:
    case = make_case(random_layouts(seed, sequences, levels, 150, 30), 2, group, size, seed=seed)
    backend = TorchAttention(mode)
    got = backend.attend(case.q, case.k, case.v, backend.plan(case.layouts), case.scale)
    torch.testing.assert_close(got.double(), case.expected(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("seed", range(8))
def test_bfloat16_is_within_its_rounding(seed: int) -> None:
    """Values are about 1; a weight, a partial result and the output are each rounded to 8 bits once."""
    case = make_case(random_layouts(seed, 12, 3, 200, 30), dtype=torch.bfloat16, seed=seed)
    backend = TorchAttention("on")
    got = backend.attend(case.q, case.k, case.v, backend.plan(case.layouts), case.scale)
    assert (got.double() - case.expected()).abs().max() < 0.025


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", [1, 2, 31, 64, 200])
def test_whole_prompt_is_bit_for_bit_torch(tokens: int, dtype: torch.dtype) -> None:
    case = make_case([SequenceLayout(tokens, [Segment(0, 5, tokens)])], dtype=dtype)
    backend = TorchAttention()
    got = backend.attend(case.q, case.k, case.v, backend.plan(case.layouts), case.scale)
    k, v = (x[None, :, 5 : 5 + tokens] for x in (case.k, case.v))
    want = F.scaled_dot_product_attention(
        case.q.transpose(0, 1)[None], k, v, is_causal=tokens > 1, scale=case.scale, enable_gqa=True
    )
    assert torch.equal(got.view(tokens, 9, 64), want[0].transpose(0, 1))


def test_whole_prompt_stays_bit_for_bit_beside_others() -> None:
    alone = SequenceLayout(40, [Segment(0, 200, 40)])
    shared = [SequenceLayout(1, [Segment(1, 0, 150), Segment(0, 160 + 10 * i, 3)]) for i in range(3)]
    case = make_case([*shared, alone])
    backend = TorchAttention("on")
    together = backend.attend(case.q, case.k, case.v, backend.plan(case.layouts), case.scale)
    single = backend.attend(case.q[3:], case.k, case.v, backend.plan([alone]), case.scale)
    assert torch.equal(together[3:], single)
