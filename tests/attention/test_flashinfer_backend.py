"""FlashInfer's kernels, by our tables, against attention in float64, on poisoned pools and outputs.

All in bfloat16 with heads of 128: FlashInfer compiles its kernels for each shape when it first meets it, for minutes.
"""

from __future__ import annotations

import random

import pytest
import torch
from attention_cases import Case, Pool, make_case, prompts_beside_decoding, random_layouts

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.graphs import HeadShape
from radixa.kv.base import Segment

pytest.importorskip("flashinfer", reason="flashinfer-python is not installed")

from radixa.attention.flashinfer.backend import FlashInferAttention
from radixa.attention.flashinfer.base import FlashInferPlan
from radixa.attention.flashinfer.tuning import ENTRIES

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

BOUND = 1e-2
"""Largest relative error, by norm, of a step's whole output. A part is rounded to bfloat16 each time it is merged."""


def make_attention(case: Case, mode: TreeMode, page: int = 1) -> FlashInferAttention:
    shape = HeadShape(case.k.shape[0], case.q.shape[1] // case.k.shape[0], case.k.shape[2])
    return FlashInferAttention(shape, "cuda", mode, page)


def attend(case: Case, attention: FlashInferAttention, plan: FlashInferPlan | None = None) -> torch.Tensor:
    """The step's output, from a buffer that holds NaN where nothing was written."""
    if plan is None:
        plan = attention.plan(case.layouts)
    heads, size = case.q.shape[1:]
    rows = len(case.q) if plan.limits is None else len(plan.limits)
    out = torch.full((rows, heads * size), torch.nan, dtype=case.q.dtype, device="cuda")
    q = torch.zeros(rows, heads, size, dtype=case.q.dtype, device="cuda")
    q[: len(case.q)] = case.q
    return attention.attend(q, case.k.cuda(), case.v.cuda(), plan, case.scale, out).cpu()


def error(case: Case, out: torch.Tensor, expected: torch.Tensor | None = None) -> float:
    """NaN, where an output was not written or a poisoned slot was read, fails every bound."""
    if expected is None:
        expected = case.expected()
    return float((out.double() - expected).norm() / expected.norm())


def check(case: Case, *modes: TreeMode) -> None:
    expected = case.expected()
    for mode in modes:
        assert error(case, attend(case, make_attention(case, mode)), expected) < BOUND, mode


def make(layouts: list[SequenceLayout], group: int = 4, seed: int = 0, spread: float = 1.0) -> Case:
    return make_case(layouts, 2, group, 128, torch.bfloat16, seed, spread)


def decoding(prefix: list[Segment], sequences: int, own: int, at: int = 208) -> list[SequenceLayout]:
    """Sequences with `own` tokens each after a common prefix, each beginning with a page of 16."""
    step = (own + 15) // 16 * 16
    return [SequenceLayout(1, [*prefix, Segment(0, at + i * step, own)]) for i in range(sequences)]


@pytest.mark.parametrize("group", [1, 4, 5, 8])
def test_one_sequence_at_any_group_size(group: int) -> None:
    check(make(decoding([], 1, 70), group), "off")


def test_five_levels_of_one_token_nodes() -> None:
    path = [Segment(i + 1, 3 * i, 1) for i in range(5)]
    check(make([SequenceLayout(1, [*path[: 5 - i], Segment(0, 50 + i, 1)]) for i in range(5)]), "on", "off")


@pytest.mark.parametrize("mode", ["on", "off"])
def test_pages_of_sixteen_tokens(mode: TreeMode) -> None:
    case = make(decoding([Segment(1, 16, 96), Segment(1, 128, 64)], 6, 41))
    attention = make_attention(case, mode, 16)
    plan = attention.plan(case.layouts)
    assert plan.variant.page == 16
    # The last page has to be there as a whole.
    pool = torch.full((2, 512, 128), torch.nan, dtype=torch.bfloat16)
    k, v = pool.clone(), pool.clone()
    k[:, : case.k.shape[1]], v[:, : case.v.shape[1]] = case.k, case.v
    assert error(case, attend(Case(case.layouts, case.q, k, v, case.scale), attention, plan)) < BOUND


def test_prompts_over_a_cached_prefix_beside_decoding_sequences() -> None:
    check(make(prompts_beside_decoding()), "on", "off")


@pytest.mark.parametrize(("new", "cached"), [(1000, 0), (257, 3000), (31, 1)])
def test_prompts_of_any_length(new: int, cached: int) -> None:
    before = [Segment(1, 0, cached)] if cached else []
    layouts = [SequenceLayout(new, [*before, Segment(0, cached + 7 + i * (new + 5), new)]) for i in range(2)]
    check(make(layouts), "on", "off")


def test_sharp_weights() -> None:
    check(make(decoding([Segment(1, 0, 40)], 2, 2), spread=8.0), "on")


@pytest.mark.parametrize("group", [1, 4, 8])
def test_random_trees(group: int) -> None:
    """Up to five levels and 60 sequences, with chunks of prompts among them."""
    for seed in range(6):
        layouts = random_layouts(seed, random.Random(seed).randint(1, 60), seed % 6, 700, 40)
        case = make(layouts, group, seed)
        check(case, "on", "off", "auto")


@pytest.mark.parametrize("sequences", [1, 2, 7, 32, 129, 512])
def test_any_number_of_sequences(sequences: int) -> None:
    pool = Pool(random.Random(sequences))
    prefix = pool.segments(1, 3000, 3)
    case = make(
        [SequenceLayout(1, prefix + pool.segments(0, 1 + i % 300, 2)) for i in range(sequences)], seed=sequences
    )
    check(case, "on", "off", "auto")


def test_queries_as_a_view_of_a_projection() -> None:
    case = make(decoding([Segment(1, 0, 200)], 5, 30))
    attention = make_attention(case, "on")
    fused = torch.full((5, 12, 128), torch.nan, dtype=torch.bfloat16, device="cuda")
    fused[:, :8] = case.q
    plan = attention.plan(case.layouts)
    out = attention.attend(fused[:, :8], case.k.cuda(), case.v.cuda(), plan, case.scale)
    assert error(case, out.cpu()) < BOUND


def test_plans_made_together_do_not_touch_each_other() -> None:
    cases = [make(decoding([Segment(1, 0, 180)], n, 40), seed=n) for n in (3, 9)]
    attention = make_attention(cases[0], "on")
    plans = [attention.plan(case.layouts) for case in cases]
    for case, plan in zip(cases, plans, strict=True):
        assert error(case, attend(case, attention, plan)) < BOUND


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_refilled_plan_leaves_out_the_slots_ahead_and_zeroes_the_rows_to_spare(mode: TreeMode) -> None:
    ahead = decoding([Segment(1, 0, 40)], 4, 20)
    now = [SequenceLayout(1, [x.segments[0], x.segments[1]._replace(length=9)]) for x in ahead]
    case = make(now)
    attention = make_attention(case, mode)
    plan = attention.reserve(6)
    assert attention.refill(plan, ahead, [11] * 4) is not None
    out = attend(case, attention, plan)
    assert error(case, out[:4]) < BOUND
    assert not out[4:].any()


def test_a_step_that_does_not_fit_changes_nothing() -> None:
    case = make(decoding([Segment(1, 0, 100)], 2, 9))
    attention = make_attention(case, "on")
    plan = attention.reserve(2 * ENTRIES + 2, slots=2000)
    assert attention.refill(plan, case.layouts) is not None
    pairs = [x for i in range(ENTRIES + 1) for x in decoding([Segment(i + 1, 40 * i, 2)], 2, 1, 40 * i + 8)]
    prompt = [SequenceLayout(3, [Segment(0, 0, 9)])]
    for layouts in (decoding([], 2 * ENTRIES + 3, 1), decoding([], 3, 900), pairs, prompt):
        assert attention.refill(plan, layouts) is None
    out = attend(case, attention, plan)
    assert error(case, out[:2]) < BOUND


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_graph_replays_a_plan_that_is_filled_anew(mode: TreeMode) -> None:
    """A graph captured once gives the right answer for other trees of the same variant, and for grown contexts."""
    cases = [make(decoding([Segment(1, 0, 180)], n, own), seed=n) for n, own in ((24, 60), (33, 300), (40, 2))]
    attention = make_attention(cases[0], mode)
    plan = attention.reserve(40)
    capacity = max(case.k.shape[1] for case in cases)
    k, v = (torch.full((2, capacity, 128), torch.nan, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    q = torch.zeros(40, 8, 128, dtype=torch.bfloat16, device="cuda")
    out = torch.empty(40, 1024, dtype=torch.bfloat16, device="cuda")
    graphs: dict[object, torch.cuda.CUDAGraph] = {}
    for case in cases:
        variant = attention.refill(plan, case.layouts)
        assert variant is not None
        k[:, : case.k.shape[1]], v[:, : case.v.shape[1]] = case.k, case.v
        q[: len(case.q)] = case.q
        if variant not in graphs:
            attention.attend(q, k, v, plan, case.scale, out)
            torch.cuda.synchronize()
            graphs[variant] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[variant]):
                attention.attend(q, k, v, plan, case.scale, out)
        out.fill_(torch.nan)
        graphs[variant].replay()
        assert error(case, out[: len(case.q)].cpu()) < BOUND
        assert not out[len(case.q) :].any()
    assert len(graphs) == 1


def test_two_runs_give_the_same_bits() -> None:
    case = make(decoding([Segment(1, 0, 1500)], 12, 200, 1600))
    attention = make_attention(case, "on")
    assert torch.equal(attend(case, attention), attend(case, attention))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_heads_of_64(dtype: torch.dtype) -> None:
    """Compiles kernels for it first."""
    case = make_case(random_layouts(3, 30, 4, 400, 30), 2, 4, 64, dtype)
    for mode in ("on", "off"):
        attention = FlashInferAttention(HeadShape(2, 4, 64), "cuda", mode, dtype=dtype)
        assert error(case, attend(case, attention)) < BOUND
