"""Programs are run, fed, replayed and measured as the other scenarios are, against a server that keeps a real tree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from radixa.bench.base import Programs, Run
from radixa.bench.bound import bound
from radixa.bench.client import connect
from radixa.bench.measure import Plan, Yardstick, measure_url
from radixa.bench.programs import run_programs
from radixa.core.errors import CallFailed, InvalidRequest
from radixa.core.money import TokenPrices
from radixa.lang.function import function
from radixa.lang.state import State
from radixa.lang.words import assistant, gen, select, system, user
from tests.upstreams.base import until

from .fakes import FakeServer, PlainTemplate, WordTokenizer, prompts, serving

T = TypeVar("T")
PRICES = TokenPrices(420_000, 42_000, 420_000, 420_000, 420_000)
SHIPS = ("the Vasa", "the Mary Rose", "the Fram")


@function
def guide(s: State, ship: str) -> None:
    s += system("Be brief and polite, and say what you know about ships.")
    s += user(f"What is {ship}?")
    s += assistant(gen("what", max_tokens=8))
    forks = s.fork(2)
    forks += lambda number: user(("How long was it?", "Who built it?")[number])
    forks += assistant(gen("detail", max_tokens=8))
    forks.join()


SHIP_GUIDE = Programs("ships", "Ships", guide, tuple({"ship": ship} for ship in SHIPS), 9)


def with_server(server: FakeServer, use: Callable[[FakeServer], Awaitable[T]]) -> T:
    async def go() -> T:
        async with serving(server):
            return await use(server)

    return asyncio.run(go())


async def run_once(
    server: FakeServer, recorded: Run | None = None, concurrency: int = 4, scenario: Programs = SHIP_GUIDE
) -> Run:
    seen: list[tuple[str, int, int]] = []
    async with connect(server.url) as client:
        found = await run_programs(
            client,
            "fake",
            scenario,
            "reuse",
            concurrency=concurrency,
            recorded=recorded,
            progress=lambda *step: seen.append(step),
        )
    assert seen == [(f"{scenario.name}, reuse", done, scenario.requests) for done in range(scenario.requests + 1)]
    return found


def test_programs_go_on_with_the_real_answers() -> None:
    server = FakeServer(WordTokenizer())
    done = with_server(server, run_once)
    assert len(done.measurements) == SHIP_GUIDE.requests
    assert [m.request.turn for m in done.measurements] == list(range(SHIP_GUIDE.requests))
    first = {m.request.messages: m.answer for m in done.measurements if len(m.request.messages) == 2}
    forked = [m.request.messages for m in done.measurements if len(m.request.messages) == 4]
    assert len(first) == 3
    assert sorted(messages[3].content for messages in forked) == ["How long was it?"] * 3 + ["Who built it?"] * 3
    assert all(messages[2].content == first[messages[:2]] for messages in forked)
    # Those that were sent are those that were measured; on four connections they may overtake each other.
    sent = [[message["content"] for message in body["messages"]] for body in server.bodies]  # type: ignore[attr-defined]
    assert sorted(sent) == sorted([message.content for message in messages] for messages in prompts(done))
    assert {(body["max_tokens"], body["temperature"]) for body in server.bodies} == {(8, 0)}


@pytest.mark.parametrize("concurrency", [1, 2])
def test_forks_and_batches_keep_to_the_concurrency(concurrency: int) -> None:
    server = FakeServer(WordTokenizer())
    with_server(server, lambda s: run_once(s, concurrency=concurrency))
    assert server.most_running == concurrency


def test_a_replay_sends_the_same_requests() -> None:
    async def twice(server: FakeServer) -> tuple[Run, Run]:
        first = await run_once(server)
        return first, await run_once(server, recorded=first)

    first, second = with_server(FakeServer(WordTokenizer()), twice)
    assert sorted(prompts(first), key=str) == sorted(prompts(second), key=str)
    # The server numbers its answers, so that without the recording they would differ.
    assert {m.answer for m in first.measurements}.isdisjoint(m.answer for m in second.measurements)


def test_the_bound_is_what_an_infinite_cache_hits() -> None:
    tokenizer = WordTokenizer()
    done = with_server(FakeServer(tokenizer), lambda s: run_once(s, concurrency=1))
    by = Yardstick(tokenizer, PlainTemplate())  # type: ignore[arg-type]
    assert done.hit_rate is not None
    assert bound(done.measurements, by.prompt, by.text) == pytest.approx(done.hit_rate)
    assert 0.5 < done.hit_rate < 1


def test_a_server_is_made_to_miss_by_fresh_lines() -> None:
    tokenizer = WordTokenizer()
    by = Yardstick(tokenizer, PlainTemplate())  # type: ignore[arg-type]
    plan = Plan([SHIP_GUIDE], by, "some-model", PRICES, 4, lambda *step: None)
    server = FakeServer(tokenizer)

    async def measure(server: FakeServer) -> None:
        (report,) = await asyncio.to_thread(measure_url, plan, server.url, None, None)
        assert report.scenario == "ships"
        assert report.reuse.hit_rate is not None
        assert report.force_miss.hit_rate is not None
        assert report.force_miss.hit_rate < 0.1 < 0.5 < report.reuse.hit_rate <= report.bound + 0.2
        assert report.reuse.prompt_tokens == report.force_miss.prompt_tokens

    with_server(server, measure)
    lines = [str(body["messages"][0]["content"]).split("\n")[0] for body in server.bodies if len(body["messages"]) > 1]  # type: ignore[index, arg-type]
    assert (len(set(lines[:9])), len(set(lines[9:]))) == (1, 9)
    assert len({len(line) for line in lines}) == 1


def test_the_first_failure_ends_the_run() -> None:
    server = FakeServer(WordTokenizer(), fails_at=2)
    with pytest.raises(CallFailed, match="503 the model is tired"):
        with_server(server, lambda s: run_once(s, concurrency=1))
    assert len(server.bodies) == 2


def test_what_only_some_servers_can_is_refused() -> None:
    @function
    def chosen(s: State) -> None:
        s += user("Is it?")
        s += assistant(select("answer", ["yes", "no"]))

    with pytest.raises(InvalidRequest, match="answers are free text"):
        with_server(FakeServer(WordTokenizer()), lambda s: run_once(s, scenario=Programs("x", "X", chosen, ({},), 1)))


def test_a_run_that_is_cancelled_sends_nothing_more() -> None:
    async def use(server: FakeServer) -> int:
        running = asyncio.create_task(run_once(server, concurrency=1))
        await until(lambda: server.bodies)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return len(server.bodies)

    server = FakeServer(WordTokenizer())
    sent = with_server(server, use)
    assert sent <= len(server.bodies) <= sent + 1 < SHIP_GUIDE.requests
