"""Sampling: filters against a naive form, seeds, penalties, log-probabilities."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.sampler import sample
from radixa.engine.sequence import Sequence
from radixa.engine.text import TextStream


def sequence(params: SamplingParams, prompt: tuple[int, ...] = (0,), answer: tuple[int, ...] = ()) -> Sequence:
    made = Sequence.start(EngineRequest("r", pack(prompt), sampling=params), 0, 1 << 20, TextStream(None))
    for token in answer:
        made.append(token)
    return made


def draws(logits: list[float], params: SamplingParams, count: int) -> Counter[int]:
    one = sequence(params)
    row = torch.tensor([logits])
    return Counter(sample(row.clone(), [one])[0].token for _ in range(count))


def allowed(logits: list[float], params: SamplingParams) -> set[int]:
    """The tokens that may be drawn, one by one as the definitions read."""
    scaled = [x / params.temperature for x in logits]
    order = sorted(range(len(logits)), key=lambda i: -scaled[i])
    if params.top_k:
        order = order[: params.top_k]
    total = sum(math.exp(scaled[i] - max(scaled)) for i in order)
    probs = {i: math.exp(scaled[i] - max(scaled)) / total for i in order}
    kept, reached = set(), 0.0
    for i in order:
        if reached >= params.top_p and kept:
            break
        reached += probs[i]
        if probs[i] >= params.min_p * probs[order[0]]:
            kept.add(i)
    return kept


LOGITS = st.lists(st.floats(-4, 4).map(lambda x: round(x, 1)), min_size=3, max_size=9, unique=True)


@settings(max_examples=60, deadline=None)
@given(
    LOGITS,
    st.floats(0.3, 2),
    st.integers(0, 5),
    st.sampled_from([1.0, 0.9, 0.53, 0.1]),
    st.sampled_from([0.0, 0.05, 0.31]),
    st.integers(0, 1000),
)
def test_only_allowed_tokens_are_drawn(
    logits: list[float], temperature: float, top_k: int, top_p: float, min_p: float, seed: int
) -> None:
    params = SamplingParams(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed)
    assert set(draws(logits, params, 20)) <= allowed(logits, params)


def test_frequencies_follow_the_distribution() -> None:
    logits = [math.log(p) for p in (0.5, 0.3, 0.2)]
    counts = draws(logits, SamplingParams(seed=5), 4000)
    assert [counts[i] / 4000 for i in range(3)] == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


def test_a_nucleus_wider_than_the_first_candidates_is_still_whole() -> None:
    size = 5000
    counts = draws([0.0] * size, SamplingParams(top_p=0.9, seed=1), 300)
    assert len(counts) > 250  # Flat over 4,500 tokens: hardly any is drawn twice.


def test_a_seed_repeats_and_the_batch_does_not_matter() -> None:
    rows = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    params = SamplingParams(seed=42, top_p=0.95)
    alone = [sample(rows[1:2].clone(), [s])[0].token for s in [sequence(params)] for _ in range(8)]
    others = [sequence(SamplingParams(seed=i)) for i in range(2)]
    one = sequence(params)
    batched = [sample(rows.clone(), [others[0], one, others[1]])[1].token for _ in range(8)]
    assert alone == batched
    assert len(set(alone)) > 1


def test_temperature_zero_takes_the_likeliest() -> None:
    assert draws([0.1, 0.3, 0.2], SamplingParams(temperature=0), 5) == {1: 5}


def test_penalties_and_bias() -> None:
    greedy = SamplingParams(temperature=0)
    logits = torch.tensor([[2.0, 1.9, 1.8]])

    def chosen(params: SamplingParams, prompt: tuple[int, ...] = (2,), answer: tuple[int, ...] = ()) -> int:
        return sample(logits.clone(), [sequence(params, prompt, answer)])[0].token

    def changed(**values: object) -> SamplingParams:
        return SamplingParams(temperature=0, **values)  # type: ignore[arg-type]

    assert chosen(greedy, answer=(0, 0)) == 0
    assert chosen(changed(frequency_penalty=0.1), answer=(0, 0)) == 1
    assert chosen(changed(frequency_penalty=0.04), answer=(0, 0)) == 0
    assert chosen(changed(presence_penalty=0.15), answer=(0,)) == 1
    assert chosen(changed(presence_penalty=0.15), prompt=(0,)) == 0  # The prompt is not counted.
    assert chosen(changed(repetition_penalty=1.2), prompt=(0,)) == 1  # Here it is.
    assert chosen(changed(logit_bias={2: 5.0})) == 2
    assert chosen(changed(logit_bias={0: -100.0})) == 1


def test_a_negative_logit_is_pushed_down_by_the_repetition_penalty() -> None:
    params = SamplingParams(temperature=0, repetition_penalty=2.0)
    assert sample(torch.tensor([[-1.0, -1.5]]), [sequence(params, prompt=(0,))])[0].token == 1


def test_logprobs_are_those_of_the_untouched_distribution() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.5, -1.0]])
    params = SamplingParams(temperature=0.2, logprobs=2, frequency_penalty=2.0, seed=3)
    one = sequence(params, answer=(1,))
    token, logprob = sample(logits.clone(), [one])[0]
    expected = logits[0].log_softmax(-1)
    assert logprob is not None
    assert logprob.logprob == pytest.approx(float(expected[token]))
    assert [i for i, _ in logprob.top] == [1, 0]
    assert [p for _, p in logprob.top] == pytest.approx([float(expected[1]), float(expected[0])])
