"""The compiled backend against attention in float64, for every instruction set this processor has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from attention_cases import Case, make_case, random_layouts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.native_backend import NativeAttention
from radixa.attention.torch_backend import TorchAttention
from radixa.kernels.library import INSTRUCTION_SETS, choose, load_library
from radixa.kv.base import Segment

library = load_library()
pytestmark = pytest.mark.skipif(library is None, reason="the compiled library was not built")


@pytest.fixture(params=INSTRUCTION_SETS, scope="module")
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    assert library is not None
    if choose(library, request.param) != request.param:
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    choose(library)


def attend(case: Case, mode: TreeMode = "auto", instructions: str = INSTRUCTION_SETS[-1]) -> torch.Tensor:
    assert library is not None
    backend = NativeAttention(library, mode)
    choose(library, instructions)
    return backend.attend(case.q, case.k, case.v, backend.plan(case.layouts), case.scale)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 100_000),
    sequences=st.integers(1, 64),
    levels=st.integers(0, 5),
    longest=st.sampled_from([40, 700]),
    group=st.integers(1, 8),
    size=st.sampled_from([64, 128]),
    mode=st.sampled_from(["auto", "on", "off"]),
    chunk=st.sampled_from([1, 12, 90]),
)
def test_float32_matches_float64(
    isa: str, seed: int, sequences: int, levels: int, longest: int, group: int, size: int, mode: TreeMode, chunk: int
) -> None:
    case = make_case(random_layouts(seed, sequences, levels, longest, chunk), 2, group, size, seed=seed)
    torch.testing.assert_close(attend(case, mode, isa).double(), case.expected(), rtol=1e-5, atol=3e-6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 100_000),
    sequences=st.integers(1, 40),
    levels=st.integers(0, 4),
    group=st.integers(1, 8),
    size=st.sampled_from([64, 128]),
    mode=st.sampled_from(["on", "off"]),
)
def test_bfloat16_is_within_its_rounding(
    isa: str, seed: int, sequences: int, levels: int, group: int, size: int, mode: TreeMode
) -> None:
    """Values are about 1, at most about 4: half a unit in the last place is 2^-8 of an output that large, and each
    weight is off by up to 2^-9, which averages out."""
    layouts = random_layouts(seed, sequences, levels, 300, 40)
    case = make_case(layouts, 2, group, size, torch.bfloat16, seed=seed)
    expected = case.expected()
    assert ((attend(case, mode, isa).double() - expected).abs() <= expected.abs() * 2**-7 + 0.01).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spread", [1.0, 8.0, 300.0])
def test_sharp_attention_stays_finite(dtype: torch.dtype, spread: float) -> None:
    """Scores of hundreds: a weight of 1 beside weights of 0, in the first chunk or the last."""
    case = make_case(random_layouts(3, 20, 3, 900, 60), dtype=dtype, seed=3, spread=spread)
    error = (attend(case, "on").double() - case.expected()).abs().max()
    # A score of some hundreds has an error of its size times 2^-24, and that is the relative error of its weight.
    assert error < (3e-6 * spread if dtype == torch.float32 else 0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tree_flat_and_torch_agree(dtype: torch.dtype) -> None:
    case = make_case(random_layouts(11, 48, 4, 600, 50), dtype=dtype, seed=11)
    torch_backend = TorchAttention("on")
    results = [attend(case, mode) for mode in ("on", "off", "auto")]
    results.append(torch_backend.attend(case.q, case.k, case.v, torch_backend.plan(case.layouts), case.scale))
    rtol, atol = (1e-5, 5e-6) if dtype == torch.float32 else (2e-2, 2e-2)
    for other in results[1:]:
        torch.testing.assert_close(results[0], other, rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mode", ["on", "off"])
def test_runs_are_bit_for_bit_identical(dtype: torch.dtype, mode: TreeMode) -> None:
    """Also with another number of threads: who computes what changes no sum."""
    case = make_case(random_layouts(5, 32, 3, 1500, 100), dtype=dtype, seed=5)
    first = attend(case, mode)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3, threads):
            torch.set_num_threads(count)
            assert torch.equal(attend(case, mode), first)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sequence_alone_is_bit_for_bit_the_sequence_in_a_batch(dtype: torch.dtype) -> None:
    """Without sharing, neither the other sequences nor how the slots are cut into runs changes a result."""
    case = make_case(random_layouts(8, 10, 2, 900, 60), dtype=dtype, seed=8)
    together = attend(case, "off")
    row = 0
    for layout in case.layouts:
        rows = slice(row, row + layout.new)
        row += layout.new
        slots = torch.cat([torch.arange(s.start, s.start + s.length) for s in layout.segments])
        one_run = [SequenceLayout(layout.new, [Segment(0, 0, len(slots))])]
        alone = Case(one_run, case.q[rows], case.k[:, slots], case.v[:, slots], case.scale)
        assert torch.equal(attend(alone, "off"), together[rows])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("chunks", [[200], [1, 199], [64, 64, 72], [130, 70]])
def test_prefill_in_chunks_is_bit_for_bit_prefill_at_once(dtype: torch.dtype, chunks: list[int]) -> None:
    """Chunks of more than one token: a token alone is decoded, whose sums are taken in another order."""
    whole = make_case([SequenceLayout(200, [Segment(0, 3, 200)])], dtype=dtype)
    expected = attend(whole)
    done = 0
    for new in chunks:
        layouts = [SequenceLayout(new, [Segment(0, 3, done + new)])]
        part = Case(layouts, whole.q[done : done + new], whole.k, whole.v, whole.scale)
        got = attend(part)
        if new > 1:
            assert torch.equal(got, expected[done : done + new])
        done += new


@pytest.mark.parametrize(("heads", "kv_heads", "size"), [(4, 2, 32), (18, 2, 64), (4, 4, 80)])
def test_other_shapes_go_to_torch(heads: int, kv_heads: int, size: int) -> None:
    case = make_case(random_layouts(2, 6, 2, 100, 10), kv_heads, heads // kv_heads, size)
    torch.testing.assert_close(attend(case, "on").double(), case.expected(), rtol=1e-5, atol=3e-6)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_no_second_team_of_threads() -> None:
    """All parallel work, torch's and ours, runs on the threads that torch's runtime has already started."""
    case = make_case(random_layouts(1, 32, 2, 1000, 10))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        a = torch.randn(600, 600)
        for _ in range(3):
            a @ a
            torch.nn.functional.silu(a.repeat(8, 1))
        before = set(os.listdir("/proc/self/task"))
        for _ in range(5):
            attend(case)
        assert set(os.listdir("/proc/self/task")) == before
    finally:
        torch.set_num_threads(threads)
