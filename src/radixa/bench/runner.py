"""Ask a scenario's requests of a server, a few at a time, and measure each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from radixa.bench.base import Measurement, Mode, RequestSpec, Run, Scenario, Thread
from radixa.bench.client import Client
from radixa.core.base import Message
from radixa.core.progress import Progress
from radixa.lang.backends.openai import NEW_LIMIT

OpeningLine = Callable[[RequestSpec], str]
"""A line to begin a request's prompt with."""


class Turn(NamedTuple):
    """A request by its place in the scenario."""

    thread: str
    turn: int


async def run(
    client: Client,
    model: str,
    scenario: Scenario,
    mode: Mode,
    *,
    concurrency: int,
    recorded: Run | None = None,
    opening_line: OpeningLine | None = None,
    progress: Progress,
) -> Run:
    """Ask everything once.

    Turns of one thread follow each other with the real answers between them; with `recorded`, with the answers of that
    run, so that both runs send the same requests. The first failure ends the run.
    """
    threads = {thread.name: thread for thread in scenario.threads}
    answers = {Turn(m.request.thread, m.request.turn): m.answer for m in recorded.measurements} if recorded else {}
    measured: dict[Turn, Measurement] = {}
    sent: list[Turn] = []
    waiting = order(scenario)
    changed = asyncio.Condition()

    async def next_turn() -> Turn | None:
        """The first turn whose predecessor is answered; waits where there is none yet, None at the end."""
        async with changed:
            while waiting:
                for turn in waiting:
                    before = predecessor(threads[turn.thread], turn.turn)
                    if before is None or before in measured:
                        waiting.remove(turn)
                        sent.append(turn)
                        return turn
                await changed.wait()
        return None

    async def worker() -> None:
        while (turn := await next_turn()) is not None:
            request = build(scenario, threads, turn, answers)
            measurement = await ask(client, model, request, opening_line(request) if opening_line else "")
            async with changed:
                measured[turn] = measurement
                answers.setdefault(turn, measurement.answer)
                changed.notify_all()
            progress(f"{scenario.name}, {mode}", len(measured), scenario.requests)

    progress(f"{scenario.name}, {mode}", 0, scenario.requests)
    start = time.perf_counter()
    workers = [asyncio.create_task(worker()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return Run(mode, tuple(measured[turn] for turn in sent), time.perf_counter() - start)


def order(scenario: Scenario) -> list[Turn]:
    """All turns in rounds; a branch's first turn belongs to the round after the last one that it shares."""
    threads = {thread.name: thread for thread in scenario.threads}

    def first_round(thread: Thread) -> int:
        return first_round(threads[thread.branch_of]) + thread.branch_after if thread.branch_of else 0

    rounds = [
        (first_round(thread) + turn, place, Turn(thread.name, turn))
        for place, thread in enumerate(scenario.threads)
        for turn in range(len(thread.turns))
    ]
    return [turn for _, _, turn in sorted(rounds)]


def predecessor(thread: Thread, turn: int) -> Turn | None:
    """The turn that must be answered before this one can be asked."""
    if turn:
        return Turn(thread.name, turn - 1)
    return Turn(thread.branch_of, thread.branch_after - 1) if thread.branch_of else None


def build(scenario: Scenario, threads: Mapping[str, Thread], turn: Turn, answers: Mapping[Turn, str]) -> RequestSpec:
    """The request of a turn: everything said before it, then its own text."""
    thread = threads[turn.thread]
    messages = [*history(threads, thread, turn.turn, answers), Message("user", thread.turns[turn.turn])]
    return RequestSpec(turn.thread, turn.turn, tuple(messages), scenario.answer_tokens)


def history(threads: Mapping[str, Thread], thread: Thread, turns: int, answers: Mapping[Turn, str]) -> list[Message]:
    """What was said in a thread before its turn number `turns`."""
    messages = list(thread.opening)
    if thread.branch_of:
        messages = history(threads, threads[thread.branch_of], thread.branch_after, answers)
    for turn in range(turns):
        messages += [Message("user", thread.turns[turn]), Message("assistant", answers[Turn(thread.name, turn)])]
    return messages


async def ask(client: Client, model: str, request: RequestSpec, line: str = "") -> Measurement:
    """Send one request, greedily sampled, with `line` at the very beginning of its prompt."""
    messages = list(request.messages)
    if line:
        messages[0] = Message(messages[0].role, f"{line}\n{messages[0].content}")
    answer = await client.complete(model, messages, **sampling(model, request.max_tokens))
    return Measurement(
        request=request,
        answer=answer.text,
        prompt_tokens=int(answer.usage.get("prompt_tokens") or 0),
        cached_tokens=answer.cached_tokens,
        cache_write_tokens=answer.cache_write_tokens,
        completion_tokens=int(answer.usage.get("completion_tokens") or 0),
        ttft=answer.ttft,
        duration=answer.ended - answer.started,
    )


def sampling(model: str, max_tokens: int) -> dict[str, Any]:
    """The fields of a greedy answer; OpenAI's reasoning models take no temperature, and name the limit otherwise."""
    if NEW_LIMIT.match(model):
        return {"max_completion_tokens": max_tokens}
    return {"max_tokens": max_tokens, "temperature": 0}
