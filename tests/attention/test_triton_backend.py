"""Triton's kernels against attention in float64, on poisoned pools, partial results and outputs.

Where there is no CUDA device the kernels run in Triton's interpreter, which is slow: few and small cases. Where there
is one, the same cases run on it, and those marked `gpu` besides.
"""

from __future__ import annotations

import random

import pytest
import torch
from attention_cases import Case, Pool, make_case, prompts_beside_decoding, random_layouts
from triton_device import CUDA, DEVICE

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.graphs import HeadShape
from radixa.attention.triton.backend import TritonAttention
from radixa.attention.triton.base import DevicePlan
from radixa.kv.base import Segment

BOUND = {torch.bfloat16: 1e-2, torch.float16: 2e-3, torch.float32: 1e-5}
"""Largest relative error, by norm, of a step's whole output. Rounding of the output alone makes 1.7e-3 in bfloat16 and
2e-4 in float16; of the weights that multiply V about as much again."""

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not CUDA, reason="no CUDA device")


def attend(case: Case, attention: TritonAttention, plan: DevicePlan | None = None) -> torch.Tensor:
    """The step's output, from buffers that hold NaN where nothing was written."""
    if plan is None:
        plan = attention.plan(case.layouts)
    plan.partial.fill_(torch.nan)
    plan.mass.fill_(torch.nan)
    heads, size = case.q.shape[1:]
    out = torch.full((len(plan.limits), heads * size), torch.nan, dtype=case.q.dtype, device=DEVICE)
    q = torch.zeros(len(plan.limits), heads, size, dtype=case.q.dtype, device=DEVICE)
    q[: len(case.q)] = case.q
    return attention.attend(q, case.k.to(DEVICE), case.v.to(DEVICE), plan, case.scale, out).cpu()


def error(case: Case, out: torch.Tensor) -> float:
    """NaN, where an output was not written or a poisoned slot was read, fails every bound."""
    expected = case.expected()
    return float((out.double() - expected).norm() / expected.norm())


def check(case: Case, mode: TreeMode = "on", page: int | None = 0) -> None:
    shape = HeadShape(case.k.shape[0], case.q.shape[1] // case.k.shape[0], case.k.shape[2])
    assert error(case, attend(case, TritonAttention(shape, DEVICE, mode, page))) < BOUND[case.q.dtype]


def decoding(prefix: list[Segment], sequences: int, own: int, at: int = 200) -> list[SequenceLayout]:
    """Sequences with `own` tokens each after a common prefix."""
    return [SequenceLayout(1, [*prefix, Segment(0, at + i * (own + 3), own)]) for i in range(sequences)]


@pytest.mark.parametrize("group", [1, 3, 4, 8])
def test_one_sequence_at_any_group_size(group: int) -> None:
    check(make_case(decoding([], 1, 70), 1, group, 64, torch.float16), "off")


@pytest.mark.parametrize("page", [0, 1, 16])
def test_a_shared_node_in_the_big_tile_and_split_inside_a_page(page: int) -> None:
    prefix = [Segment(1, 5, 60), Segment(1, 71, 30)]
    # The interpreter multiplies bfloat16 as if it were whole numbers.
    check(make_case(decoding(prefix, 6, 9), 1, 4, 64, torch.bfloat16 if CUDA else torch.float16), page=page)


@pytest.mark.parametrize("mode", ["on", "off"])
def test_five_levels_of_one_token_nodes(mode: TreeMode) -> None:
    path = [Segment(i + 1, 3 * i, 1) for i in range(5)]
    layouts = [SequenceLayout(1, [*path[: 5 - i], Segment(0, 50 + i, 1)]) for i in range(5)]
    check(make_case(layouts, 1, 2, 64, torch.float32), mode)


def test_prompts_over_a_cached_prefix_beside_decoding_sequences() -> None:
    check(make_case(prompts_beside_decoding(), 1, 4, 64, torch.float32))


def test_head_size_128_and_sharp_weights() -> None:
    check(make_case(decoding([Segment(1, 0, 40)], 2, 2), 1, 4, 128, torch.float16, spread=8.0))


def test_a_long_context_is_cut_over_all_bins() -> None:
    case = make_case(decoding([], 1, 700), 1, 1, 64, torch.float32)
    attention = TritonAttention(HeadShape(1, 1, 64), DEVICE)
    assert attention.plan(case.layouts).capacity.items > 3
    assert error(case, attend(case, attention)) < BOUND[torch.float32]


def test_a_plan_serves_steps_that_grow_into_its_slots() -> None:
    """The plan names slots ahead; only the limits change, and rows past the batch are zeros."""
    attention = TritonAttention(HeadShape(1, 4, 64), DEVICE, "on", 0)
    plan = attention.reserve(6)
    ahead = decoding([Segment(1, 0, 40)], 4, 20)
    assert attention.refill(plan, ahead, [11] * 4) is not None
    for step in (0, 11):
        now = [SequenceLayout(1, [*x.segments[:1], x.segments[1]._replace(length=9 + step)]) for x in ahead]
        case = make_case(now, 1, 4, 64, torch.float32, seed=step)
        # The pool ends with the last token's slot, as it is now; the plan's slots go on.
        out = attend(case, attention, plan)
        assert error(case, out[:4]) < BOUND[torch.float32]
        assert not out[4:].any()
        plan.limits[:4].add_(11)


def test_a_plan_that_does_not_fit_changes_nothing() -> None:
    attention = TritonAttention(HeadShape(1, 4, 64), DEVICE, "on", 0)
    plan = attention.reserve(2)
    before = plan.numbers.clone(), plan.limits.clone()
    assert attention.refill(plan, decoding([], 3, 9)) is None
    assert torch.equal(plan.numbers, before[0])
    assert torch.equal(plan.limits, before[1])


def test_fragments_are_followed_by_a_table() -> None:
    fragments = [Segment(1, 3 * i, 2) for i in range(12)]
    layouts = decoding(fragments, 3, 4)
    attention = TritonAttention(HeadShape(1, 4, 64), DEVICE)
    assert attention.plan(layouts).variant.page == 1
    assert attention.plan(decoding([Segment(1, 0, 24)], 3, 4)).variant.page == 0
    case = make_case(layouts, 1, 4, 64, torch.float32)
    assert error(case, attend(case, attention)) < BOUND[torch.float32]


def test_two_runs_give_the_same_bits() -> None:
    case = make_case(decoding([Segment(1, 0, 150)], 3, 20), 1, 4, 64, torch.float16)
    attention = TritonAttention(HeadShape(1, 4, 64), DEVICE, "on")
    assert torch.equal(attend(case, attention), attend(case, attention))


@gpu
@needs_gpu
@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("group", range(1, 9))
def test_random_trees(group: int, size: int) -> None:
    """Up to five levels and 60 sequences, with chunks of prompts among them; by pages as well for one group size.

    Few shapes of kernels: compiling them is what takes the time.
    """
    for seed in range(6):
        layouts = random_layouts(seed, random.Random(seed).randint(1, 60), seed % 6, 700, 40)
        case = make_case(layouts, 2, group, size, torch.bfloat16, seed)
        for page in (0, 1, 16) if group == 4 else (0,):
            for mode in ("on", "off", "auto"):
                check(case, mode, page)


@gpu
@needs_gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("size", [64, 128])
def test_other_precisions(size: int, dtype: torch.dtype) -> None:
    for seed in range(4):
        check(make_case(random_layouts(seed, 40, 5, 500, 40), 2, 4, size, dtype, seed))


@gpu
@needs_gpu
@pytest.mark.parametrize("sequences", [1, 2, 7, 32, 129, 512])
def test_any_number_of_sequences(sequences: int) -> None:
    pool = Pool(random.Random(sequences))
    prefix = pool.segments(1, 3000, 3)
    layouts = [SequenceLayout(1, prefix + pool.segments(0, 1 + i % 300, 2)) for i in range(sequences)]
    for mode in ("on", "off", "auto"):
        check(make_case(layouts, 2, 4, 128, torch.bfloat16, sequences), mode)


@gpu
@needs_gpu
@pytest.mark.parametrize(("new", "cached"), [(1000, 0), (257, 3000), (1, 5000), (31, 1)])
def test_prompts_of_any_length(new: int, cached: int) -> None:
    before = [Segment(1, 0, cached)] if cached else []
    layouts = [SequenceLayout(new, [*before, Segment(0, cached + 7, new)])]
    check(make_case(layouts, 2, 4, 128, torch.bfloat16))


@gpu
@needs_gpu
def test_a_graph_replays_a_plan_that_is_filled_anew() -> None:
    """A graph captured once gives the right answer for other trees of the same variant, and for grown contexts."""
    attention = TritonAttention(HeadShape(2, 4, 128), DEVICE, "on", 0)
    plan = attention.reserve(40)
    cases = [make_case(decoding([Segment(1, 0, 180)], n, 60), 2, 4, 128, torch.bfloat16, n) for n in (24, 33, 40)]
    capacity = max(case.k.shape[1] for case in cases)
    k, v = (torch.full((2, capacity, 128), torch.nan, dtype=torch.bfloat16, device=DEVICE) for _ in range(2))
    q = torch.zeros(40, 8, 128, dtype=torch.bfloat16, device=DEVICE)
    out = torch.empty(40, 1024, dtype=torch.bfloat16, device=DEVICE)
    variant = attention.refill(plan, cases[0].layouts)
    attention.attend(q, k, v, plan, cases[0].scale, out)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        attention.attend(q, k, v, plan, cases[0].scale, out)
    for case in cases:
        assert attention.refill(plan, case.layouts) == variant
        q[: len(case.q)] = case.q
        k[:, : case.k.shape[1]], v[:, : case.v.shape[1]] = case.k, case.v
        out.fill_(torch.nan)
        graph.replay()
        assert error(case, out[: len(case.q)].cpu()) < BOUND[torch.bfloat16]
