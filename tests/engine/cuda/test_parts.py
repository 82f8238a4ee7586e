"""The parts of the engine on a GPU that need none: rows of decode steps, buckets, drawing, and what a device is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radixa.core.base import CachePolicy, SamplingParams
from radixa.core.errors import ConfigError
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest, EngineSettings
from radixa.engine.load import _check_host, by_device
from radixa.engine.sampler import sample
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence
from radixa.engine.text import TextStream
from radixa.kv.tiers.base import Fingerprint
from tests.engine.content import content_loop

pytest.importorskip("triton", reason="triton is not installed")

from radixa.engine.cuda.decoding import AHEAD, Period, decodes
from radixa.engine.cuda.graphs import bucket, buckets
from radixa.engine.cuda.sampling import Draw, _among_likeliest, _invert


def running(capacity: int, answers: list[int], prompt: int = 40) -> tuple[list[Work], object]:
    """Sequences past their prompts, each as the scheduler would decode it next."""
    loop = content_loop(capacity, step_tokens=4096)
    for number, answer in enumerate(answers):
        sampling = SamplingParams(max_tokens=answer, temperature=0)
        key = pack([1] * 20 + [number] * (prompt - 20))
        loop.submit(EngineRequest(f"r{number}", key, sampling=sampling, cache=CachePolicy()))
    while any(not s.generated for s in loop.scheduler.running) or len(loop.scheduler.waiting):
        loop.step()
    return loop.scheduler.plan(), loop.cache


def test_a_period_names_the_slots_that_the_scheduler_would() -> None:
    work, cache = running(4096, [300, 200, 500])
    assert decodes(work)
    period = Period.begin(work, cache)  # type: ignore[arg-type]
    assert period.first
    assert period.coming.shape == (3, AHEAD + 1)
    for step in range(AHEAD + 1):
        assert step == 0 or period.advance(work, cache)  # type: ignore[arg-type]
        rows = period.rows(lambda sequences: np.full(len(sequences), -1, np.int32))
        for row, sequence in enumerate(rows.sampled):
            assert sequence.lease is not None
            assert rows.positions[row] == sequence.computed + step
            last = sequence.lease.segments(int(rows.positions[row]) + 1)[-1]
            assert rows.slots[row] == last.start + last.length - 1
        # A layout's last slots are those of the steps to come.
        for layout, ahead, sequence in zip(rows.layouts, rows.ahead, rows.sampled, strict=True):
            assert layout.context - ahead == sequence.computed + step + 1
    assert not period.advance(work, cache)  # type: ignore[arg-type]


def test_a_period_ends_when_somebody_comes_or_goes_or_the_tree_moves() -> None:
    work, cache = running(4096, [300, 200, 500])
    assert Period.begin(work, cache).advance(work, cache)  # type: ignore[arg-type]
    assert not Period.begin(work, cache).advance(work[1:], cache)  # type: ignore[arg-type]
    period = Period.begin(work, cache)  # type: ignore[arg-type]
    period.version -= 1
    assert not period.advance(work, cache)  # type: ignore[arg-type]


def test_a_full_pool_gives_nothing_in_advance() -> None:
    work, cache = running(330, [100, 100, 100])
    stats = cache.stats()  # type: ignore[attr-defined]
    period = Period.begin(work, cache)  # type: ignore[arg-type]
    assert cache.stats().free == stats.free  # type: ignore[attr-defined]
    assert period.coming.shape[1] == min(period.ahead) + 1 < AHEAD


@pytest.mark.parametrize("most", [1, 3, 8, 64, 100, 256])
def test_buckets_hold_every_number_of_rows(most: int) -> None:
    known = buckets(most)
    assert known == sorted(set(known))
    assert known[-1] == most
    for rows in range(1, most + 1):
        assert rows <= bucket(rows, most) <= max(2 * rows, rows + 15)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temperature": 0.6},
        {"top_k": 7},
        {"top_p": 0.7},
        {"min_p": 0.2, "temperature": 1.5},
        {"top_k": 40, "top_p": 0.5},
    ],
)
def test_the_device_draws_what_the_host_draws(params: dict[str, float]) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(16, 300)
    requests = [
        EngineRequest(f"r{seed}", pack([1]), sampling=SamplingParams(seed=seed, **params))  # type: ignore[arg-type]
        for seed in range(16)
    ]
    ours, theirs = ([Sequence.start(r, 1, 100, TextStream(None)) for r in requests] for _ in range(2))
    wanted = [sampled.token for sampled in sample(logits.clone(), theirs)]  # type: ignore[union-attr]
    draw = Draw(ours)
    assert draw.random
    uniform, temperature, top_k, top_p, min_p = torch.from_numpy(draw.numbers)
    scaled = logits / temperature.float()[:, None]
    if draw.cut:
        found = _among_likeliest(scaled, uniform, top_k, top_p, min_p, draw.most)
    else:
        found = _invert(torch.softmax(scaled, -1), uniform)
    assert found.tolist() == wanted
    # Both took one number from each generator.
    assert [s.random.random() for s in ours] == [s.random.random() for s in theirs]


def test_greedy_takes_no_number() -> None:
    request = EngineRequest("r", pack([1]), sampling=SamplingParams(seed=1, temperature=0))
    sequence = Sequence.start(request, 1, 100, TextStream(None))
    before = sequence.random.getstate()
    assert not Draw([sequence]).random
    assert sequence.random.getstate() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu() -> None:
    settings = EngineSettings(model="random:smollm2-135m", device="auto", max_running=3)
    found = by_device(settings)
    assert (found.device, found.step_tokens, found.max_running) == ("cpu", 512, 3)
    with pytest.raises(ConfigError, match="torch sees no CUDA device here; expected 'cpu' or 'auto'"):
        by_device(EngineSettings(model="random:smollm2-135m", device="cuda"))
    with pytest.raises(ConfigError, match="attention_kernels = 'flashinfer': the engine computes on the CPU here"):
        by_device(EngineSettings(model="random:smollm2-135m", attention_kernels="flashinfer"))


def test_memory_of_the_host_that_cannot_be_taken_is_refused() -> None:
    fingerprint = Fingerprint("random:llama-3-8b", "bfloat16", 32, 8, 128)
    _check_host(8 << 20, fingerprint)
    for size in ((8 << 20) - 1, 1 << 50):
        with pytest.raises(ConfigError, match=rf"host_bytes = {size}: .* a block of 64 tokens, which is 8388608 bytes"):
            _check_host(size, fingerprint)
