"""Programs measured on the real model: what is computed, and a server of ours asked as one of any make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from radixa.bench.base import Run
from radixa.bench.bound import bound
from radixa.bench.client import connect
from radixa.bench.measure import Yardstick, measure_url, plan, yardstick
from radixa.bench.programs import run_programs
from radixa.bench.scenarios import fewshot
from radixa.lang.serving import started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODEL = "smollm2"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with started(MODEL, settings={"RADIXA_ENGINE_THREADS": "1"}) as server:
        yield server.url


@pytest.fixture(scope="module")
def by() -> Yardstick:
    return yardstick(MODEL, lambda *step: None)


def test_a_batch_of_few_shot_programs_computes_its_examples_once(url: str, by: Yardstick) -> None:
    size = fewshot.Size(num_questions=64, shared=1000, max_new_tokens=2)
    scenario = fewshot.build(by.tokenizer, 1, size)

    async def go() -> Run:
        async with connect(url) as client:
            return await run_programs(client, MODEL, scenario, "reuse", concurrency=16, progress=lambda *step: None)

    run = asyncio.run(go())
    assert run.computed_tokens is not None
    assert run.hit_rate is not None
    assert run.computed_tokens / run.prompt_tokens < 0.08
    assert run.hit_rate >= bound(run.measurements, by.prompt, by.text) - 0.01


def test_our_own_server_by_its_address(url: str, by: Yardstick) -> None:
    what = plan(["tree-of-thought"], size="reduced", sized_by=MODEL, seed=0, concurrency=4, progress=lambda *step: None)
    (report,) = measure_url(what, url, None, None)
    assert len(report.reuse.measurements) == len(report.force_miss.measurements) == 28
    assert report.reuse.hit_rate is not None
    assert report.force_miss.hit_rate is not None
    assert report.bound - 0.03 <= report.reuse.hit_rate
    # What the chat template writes before the line is all that may hit.
    assert report.force_miss.hit_rate < 0.05
    assert abs(report.reuse.prompt_tokens - report.force_miss.prompt_tokens) <= 28
