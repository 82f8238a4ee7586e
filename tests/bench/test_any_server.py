"""`radixa bench --url` against servers of other makes, as `tests/upstreams` stands in for them."""

from __future__ import annotations

import io
from typing import Literal

import pytest
from rich.console import Console

from radixa.bench.base import Programs, Report, Scenario
from radixa.bench.measure import Plan, Yardstick, measure_url
from radixa.bench.page import page
from radixa.bench.reported import completed
from radixa.bench.runner import sampling
from radixa.bench.scenarios import SCENARIOS, shared_prefix
from radixa.bench.tables import NOT_REPORTED, scenario_table, summary_table
from radixa.core.money import TokenPrices
from tests.upstreams.openai import OpenAIStandIn

from .fakes import PlainTemplate, WordTokenizer
from .reports import some_run

PRICES = TokenPrices(420_000, 42_000, 420_000, 420_000, 420_000)


TOKENIZER = WordTokenizer()


def measured(scenario: Scenario | Programs, stand_in: OpenAIStandIn, model: str | None = None) -> Report:
    by = Yardstick(TOKENIZER, PlainTemplate())  # type: ignore[arg-type]
    plan = Plan([scenario], by, "some-model", PRICES, 8, lambda *step: None)
    with stand_in.in_thread() as url:
        (report,) = measure_url(plan, url, None, model)
    return report


def printed(table: object) -> str:
    screen = io.StringIO()
    Console(file=screen, width=250).print(table)
    return screen.getvalue()


@pytest.mark.parametrize(("kind", "name"), [("vllm", "fewshot"), ("sglang", "chatbot"), ("llama.cpp", "sharegpt-like")])
def test_what_is_not_reported_is_said_and_is_not_zero(kind: Literal["vllm", "sglang", "llama.cpp"], name: str) -> None:
    report = measured(SCENARIOS[name].build(TOKENIZER, 0, "reduced"), OpenAIStandIn(kind))
    figures = report.as_json()
    for nothing in ("hit_rate", "cost_saved_percent", "total_cost_saved_percent"):
        assert figures[nothing] is None
    for run in (figures["reuse"], figures["force_miss"]):
        for nothing in ("cached_tokens", "prompt_tokens_computed", "prompt_cost_usd", "total_cost_usd"):
            assert run[nothing] is None
        assert run["prompt_tokens"] > 0
        assert run["ttft_p50_ms"] > 0
    assert figures["bound"] > 0.05
    assert figures["reuse"]["prompt_tokens"] == figures["force_miss"]["prompt_tokens"]
    rows = [line.split("│") for line in printed(scenario_table(report)).splitlines() if "│" in line]
    found = {row[1].strip(): [cell.strip() for cell in row[2:5]] for row in rows}
    assert found["hit rate"][:2] == [NOT_REPORTED] * 2
    assert found["prompt tokens computed"] == found["prompt cost at some-model"] == [NOT_REPORTED] * 3
    assert found["time to first token, median"][0].endswith(" ms")
    assert f"│ {NOT_REPORTED} " in printed(summary_table([report]))
    markup = page([report])
    assert "The server does not report what it cached" in markup
    text = " ".join(markup.replace("&nbsp;", " ").split())
    assert f"Hit rate {NOT_REPORTED}, bound" in text
    assert f"<td>Prompt cost</td>{3 * f'<td>{NOT_REPORTED}</td>'}" in text
    assert f"<b>{NOT_REPORTED}</b>" in text


def test_other_places_for_cached_tokens_are_read() -> None:
    # The stand-in's cache begins at 1,024 tokens, as its model's does.
    size = shared_prefix.Size(num_groups=1, prompts_per_group=12, system_prompt_len=2048, question_len=16, output_len=4)
    report = measured(shared_prefix.build(TOKENIZER, 0, size), OpenAIStandIn("deepseek"))
    assert report.reuse.hit_rate is not None
    assert report.reuse.hit_rate > 0.5
    assert report.force_miss.cached_tokens == 0
    assert report.prompt_cost_saved is not None
    assert report.prompt_cost_saved > 0.4


def test_models_that_name_the_limit_otherwise() -> None:
    stand_in = OpenAIStandIn("openai")
    measured(SCENARIOS["fewshot"].build(TOKENIZER, 0, "reduced"), stand_in, "gpt-5.6-mini")
    bodies = [found.json for found in stand_in.requests if found.path == "/v1/chat/completions"]
    assert len(bodies) == 8 + 2 * 16 + 8
    assert all("max_tokens" not in body and "temperature" not in body for body in bodies)
    assert {body["max_completion_tokens"] for body in bodies} == {8, 24}
    assert sampling("llama-3", 9) == {"max_tokens": 9, "temperature": 0}


def test_zeros_that_a_server_leaves_out() -> None:
    nothing = some_run("force-miss", None, 0.04)
    on, off = completed(some_run("reuse", 90, 0.01), nothing)
    assert (on.cached_tokens, off.cached_tokens) == (900, 0)
    assert completed(nothing, nothing) == (nothing, nothing)
    assert nothing.hit_rate is None
