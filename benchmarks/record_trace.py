"""Record the trace of the three scenarios run together: `python benchmarks/record_trace.py [FILE]`.

A server with the embedded engine answers every request; the prompt and the answer of each go into the trace as tokens,
with what a client would say of them: the session, and a TTL where an answer is expected back (a customer within five
minutes, a tool within two). When a conversation begins and how long its person or tool takes is drawn from a seed: the
times in the trace are those, not this machine's, so the recording need not wait for them.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radixa.bench.base import Scenario, Thread
from radixa.bench.client import Client, connect
from radixa.bench.measure import Yardstick, yardstick
from radixa.bench.runner import Turn, build, predecessor
from radixa.bench.scenarios import WORKLOADS, SizeName
from radixa.core.base import Message
from radixa.core.tokens import count, unpack
from radixa.lang.serving import started

MODEL = "smollm2"
SEED = 0
CONCURRENCY = 4
TRACE = Path(__file__).parent / "traces" / "scenarios.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a scenario's threads spread over time, in seconds, and the TTL its client asks for."""

    begins_within: float
    answer: float
    """Median time that an answer and what comes back to it take together."""
    spread: float
    """Sigma of that time's logarithm."""
    ttl: float | None


PACES = {
    "chatbot": Pace(begins_within=900, answer=60, spread=0.8, ttl=300),
    "rag": Pace(begins_within=1200, answer=0, spread=0, ttl=None),
    "agent": Pace(begins_within=900, answer=8, spread=0.6, ttl=120),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a turn of a scenario is asked."""

    time: float
    scenario: Scenario
    turn: Turn


def arrivals(scenario: Scenario, chance: random.Random) -> list[Arrival]:
    """A thread begins at any time, a branch after the turns that it shares; a turn follows the one before."""
    pace = PACES[scenario.name]
    times: dict[Turn, float] = {}
    for thread in scenario.threads:
        for number in range(len(thread.turns)):
            before = predecessor(thread, number)
            begun = chance.uniform(0, pace.begins_within) if before is None else times[before]
            waited = chance.lognormvariate(0, pace.spread) * pace.answer if before is not None else 0.0
            times[Turn(thread.name, number)] = begun + waited
    return [Arrival(time, scenario, turn) for turn, time in times.items()]


async def record(server: str, schedule: list[Arrival], by: Yardstick) -> list[dict[str, Any]]:
    """Ask everything in the order of the schedule, a few at a time, each after the turn that it goes on from."""
    answers: dict[str, dict[Turn, str]] = {arrival.scenario.name: {} for arrival in schedule}
    answered = {(a.scenario.name, a.turn): asyncio.Event() for a in schedule}
    places = asyncio.Semaphore(CONCURRENCY)
    done = 0

    async def ask(client: Client, model: str, arrival: Arrival) -> dict[str, Any]:
        nonlocal done
        scenario, turn = arrival.scenario, arrival.turn
        threads = {thread.name: thread for thread in scenario.threads}
        before = predecessor(threads[turn.thread], turn.turn)
        if before is not None:
            await answered[scenario.name, before].wait()
        request = build(scenario, threads, turn, answers[scenario.name])
        async with places:
            answer = await client.complete(model, list(request.messages), max_tokens=request.max_tokens, temperature=0)
        answers[scenario.name][turn] = answer.text
        answered[scenario.name, turn].set()
        done += 1
        print(f"\r{done} of {len(schedule)} requests", end="", flush=True)
        return row(arrival, threads[turn.thread], request.messages, answer.text, by)

    async with connect(server) as client:
        model = await client.default_model()
        rows = await asyncio.gather(*(ask(client, model, arrival) for arrival in schedule))
    print()
    return list(rows)


def row(arrival: Arrival, thread: Thread, messages: Iterable[Message], answer: str, by: Yardstick) -> dict[str, Any]:
    """The request's line. A branch belongs to the session of the thread that it leaves."""
    pace = PACES[arrival.scenario.name]
    messages = tuple(messages)
    prompt = by.prompt(messages)
    found: dict[str, Any] = {
        "timestamp": round(arrival.time, 3),
        "session": f"{arrival.scenario.name}/{thread.branch_of or thread.name}",
        "prompt": list(unpack(prompt)),
        "output": list(unpack(by.text(answer))),
        "spans": spans(messages, count(prompt), by),
    }
    if pace.ttl is not None:
        found["ttl"] = pace.ttl
    return found


def spans(messages: tuple[Message, ...], tokens: int, by: Yardstick) -> list[tuple[int, str]]:
    """Where each message ends in the prompt, and its role; the opening of the answer belongs to the last one.

    A message's text is followed by a special token, so the tokens before it are those of the text up to there.
    """
    text = by.template.render(messages)
    ends = []
    at = 0
    for message in messages:
        at = text.index(message.content, at) + len(message.content)
        ends.append((count(by.tokenizer.encode(text[:at])), message.role))
    ends[-1] = (tokens, ends[-1][1])
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=TRACE)
    parser.add_argument("--size", choices=("full", "reduced"), default="full")
    chosen = parser.parse_args()
    size: SizeName = chosen.size
    by = yardstick(MODEL, lambda what, done, total: None)
    chance = random.Random(SEED)
    schedule: list[Arrival] = []
    for name in PACES:
        schedule += arrivals(WORKLOADS[name].build(by.tokenizer, SEED, size), chance)
    schedule.sort(key=lambda arrival: arrival.time)
    with started(MODEL) as server:
        rows = asyncio.run(record(server.url, schedule, by))
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in rows)
    # No time and no name in the file, so that the same requests give the same bytes.
    with chosen.file.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as file:
        file.write(lines.encode())
    print(f"{chosen.file}: {len(rows)} requests")


if __name__ == "__main__":
    main()
