"""Requests are asked in order, fed back, replayed, and counted right, against a server that keeps a real tree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from radixa.bench.base import Cost, Run, Scenario, Thread
from radixa.bench.bound import bound
from radixa.bench.client import connect
from radixa.bench.cost import run_cost
from radixa.bench.measure import Plan, Yardstick, measure_url
from radixa.bench.runner import order, run
from radixa.core.addresses import root_url
from radixa.core.base import Message
from radixa.core.errors import CallFailed
from radixa.core.money import TokenPrices

from .fakes import FakeServer, PlainTemplate, WordTokenizer, prompts, serving

T = TypeVar("T")
PRICES = TokenPrices(420_000, 42_000, 420_000, 420_000, 420_000)

SYSTEM = (Message("system", "Be brief and polite, and say what you know about ships."),)
BRANCHING = Scenario(
    "small",
    "A small one",
    (
        Thread("a", SYSTEM, ("How tall?", "How long?", "How old?")),
        Thread("b", SYSTEM, ("Where is it?", "Who built it?", "What for?")),
        Thread("a-branch", (), ("How wide?",), "a", 2),
    ),
    answer_tokens=8,
)


def quiet(what: str, done: int, total: int) -> None:
    pass


def with_server(server: FakeServer, use: Callable[[FakeServer], Awaitable[T]]) -> T:
    async def go() -> T:
        async with serving(server):
            return await use(server)

    return asyncio.run(go())


async def run_once(server: FakeServer, recorded: Run | None = None, concurrency: int = 4) -> Run:
    async with connect(server.url) as client:
        return await run(client, "fake", BRANCHING, "reuse", concurrency=concurrency, recorded=recorded, progress=quiet)


def test_order_interleaves_and_a_branch_waits_for_its_parent() -> None:
    assert order(BRANCHING) == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a-branch", 0)]


def test_real_answers_are_fed_back() -> None:
    done = with_server(FakeServer(WordTokenizer()), run_once)
    found = {(m.request.thread, m.request.turn): m for m in done.measurements}
    assert len(found) == BRANCHING.requests == 7
    last = found["a", 2].request.messages
    assert [m.content for m in last[1::2]] == ["How tall?", "How long?", "How old?"]
    assert [m.content for m in last[2::2]] == [found["a", 0].answer, found["a", 1].answer]
    assert found["a-branch", 0].request.messages[:5] == last[:5]
    assert found["a-branch", 0].request.messages[5].content == "How wide?"
    for m in done.measurements:
        assert 0 < m.ttft <= m.duration
        assert m.answer.startswith("answer ")
        assert m.completion_tokens == 4


def test_concurrency_is_kept() -> None:
    server = FakeServer(WordTokenizer())
    with_server(server, lambda s: run_once(s, concurrency=2))
    assert server.most_running == 2


def test_a_replay_sends_the_same_requests() -> None:
    async def twice(server: FakeServer) -> tuple[Run, Run]:
        first = await run_once(server)
        return first, await run_once(server, recorded=first)

    first, second = with_server(FakeServer(WordTokenizer()), twice)
    assert sorted(prompts(first), key=str) == sorted(prompts(second), key=str)
    # The server numbers its answers, so that without the recording they would differ.
    assert {m.answer for m in first.measurements}.isdisjoint(m.answer for m in second.measurements)
    assert second.hit_rate > 0.9


def test_the_bound_is_what_an_infinite_cache_hits() -> None:
    tokenizer, template = WordTokenizer(), PlainTemplate()
    # One at a time: the server's tree then holds exactly what came before.
    done = with_server(FakeServer(tokenizer), lambda s: run_once(s, concurrency=1))
    by = Yardstick(tokenizer, template)  # type: ignore[arg-type]
    assert bound(done.measurements, by.prompt, by.text) == pytest.approx(done.hit_rate)
    assert 0.5 < done.hit_rate < 1


def test_a_foreign_server_is_made_to_miss_by_fresh_lines() -> None:
    tokenizer = WordTokenizer()
    by = Yardstick(tokenizer, PlainTemplate())  # type: ignore[arg-type]
    plan = Plan([BRANCHING], by, "some-model", PRICES, 4, quiet)
    server = FakeServer(tokenizer)

    async def measure(server: FakeServer) -> None:
        report = (await asyncio.to_thread(measure_url, plan, server.url, None, None))[0]
        assert report.model == "fake"
        # Only what the template puts before the line can hit.
        assert report.force_miss.hit_rate < 0.1
        assert report.reuse.hit_rate > 0.5
        assert report.reuse.prompt_tokens == report.force_miss.prompt_tokens
        figures = report.as_json()
        assert figures["cost_saved_percent"] == pytest.approx(100 * report.prompt_cost_saved, abs=0.01)
        assert report.prompt_cost_saved == pytest.approx(1 - report.reuse_cost.prompt / report.force_miss_cost.prompt)

    with_server(server, measure)
    lines = [str(body["messages"][0]["content"]).split("\n")[0] for body in server.bodies if len(body["messages"]) > 1]  # type: ignore[index, arg-type]
    reuse, miss = lines[: BRANCHING.requests], lines[BRANCHING.requests :]
    assert len(set(reuse)) == 1
    assert len(set(miss)) == BRANCHING.requests
    assert len({len(line) for line in lines}) == 1


def test_costs_are_summed_as_billed() -> None:
    done = with_server(FakeServer(WordTokenizer()), run_once)
    uncached = sum(m.prompt_tokens - m.cached_tokens for m in done.measurements)
    prompt = uncached * 420 + done.cached_tokens * 42
    assert run_cost(done.measurements, PRICES) == Cost(prompt, prompt + done.completion_tokens * 420)


def test_the_first_failure_ends_the_run() -> None:
    server = FakeServer(WordTokenizer(), fails_at=3)
    with pytest.raises(CallFailed, match="503 the model is tired") as failure:
        with_server(server, run_once)
    assert failure.value.answered == 503
    assert len(server.bodies) < BRANCHING.requests


def test_a_server_without_usage_is_not_measured() -> None:
    tokenizer = WordTokenizer()
    plan = Plan([BRANCHING], Yardstick(tokenizer, PlainTemplate()), "m", PRICES, 4, quiet)  # type: ignore[arg-type]

    async def measure(server: FakeServer) -> None:
        await asyncio.to_thread(measure_url, plan, server.url, None, None)

    with pytest.raises(CallFailed, match="reports no usage"):
        with_server(FakeServer(tokenizer, reports_usage=False), measure)


def test_a_wrong_key_is_said() -> None:
    async def ask(server: FakeServer) -> None:
        async with connect(server.url + "/v1/", "wrong") as client:
            await client.complete("fake", [Message("user", "hello")])

    with pytest.raises(CallFailed, match="401 Incorrect API key"):
        with_server(FakeServer(WordTokenizer(), key="right"), ask)


def test_nobody_there() -> None:
    async def ask() -> None:
        async with connect("http://127.0.0.1:9") as client:
            await client.default_model()

    with pytest.raises(CallFailed) as failure:
        asyncio.run(ask())
    assert failure.value.message.startswith("no server answers at http://127.0.0.1:9; start one with `radixa serve`")


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://a", "", "http://", "http://[::1", "http://a:99999", "http://a:b"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(CallFailed, match="is no address of a server"):
        root_url(url)


def test_quantiles_are_by_nearest_rank() -> None:
    done = with_server(FakeServer(WordTokenizer()), run_once)
    times = sorted(m.ttft for m in done.measurements)
    assert (done.ttft(1), done.ttft(50), done.ttft(95), done.ttft(100)) == (times[0], times[3], times[6], times[6])
