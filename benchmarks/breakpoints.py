"""What Anthropic's breakpoints save: `python benchmarks/breakpoints.py [--json]`.

The three scenarios of `radixa bench` (`src/radixa/bench/scenarios`), at full size, are asked on a simulated clock of a
cache that follows Anthropic's documentation (`tests/upstreams/anthropic_cache.py`): a written token costs 1.25 input
tokens, or 2 for an hour, a read one 0.1. Each conversation's next turn, or the next question on the same documents,
comes back after 5 s to 20 min. Costs are those of the prompts, in percent of the same requests without breakpoints:

- `auto`: breakpoints where the gateway places them;
- `system`: one at the end of the system prompt;
- `bound`: what would be paid if everything to come were known, every block could be kept by itself and nothing was too
  short: no choice of breakpoints can cost less.

`--seeds N` repeats all of it; `--adversarial` adds workloads made to lose money on breakpoints.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from radixa.bench.base import Scenario
from radixa.bench.scenarios import WORKLOADS
from radixa.core.base import CachePolicy, Usage
from radixa.core.tokens import pack
from radixa.providers.anthropic.breakpoints import Breakpoints

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.upstreams.anthropic_cache import AnthropicCache, Counts, blocks_of

Body = dict[str, Any]
Asked = tuple[float, Body]
"""When a request comes, in seconds, and its body."""
Gap = Callable[[random.Random], float]

GAPS: dict[str, Gap] = {
    "5 s to 20 min, log-uniform": lambda chance: math.exp(chance.uniform(math.log(5), math.log(1_200))),
    "5 s to 20 min, uniform": lambda chance: chance.uniform(5, 1_200),
    "5 s to 60 s": lambda chance: chance.uniform(5, 60),
    "6 min to 20 min": lambda chance: chance.uniform(360, 1_200),
    "half 5 s to 30 s, half 10 min to 20 min": lambda chance: (
        chance.uniform(5, 30) if chance.random() < 0.5 else chance.uniform(600, 1_200)
    ),
}
ADVERSARIAL = ("one-shot", "pairs", "turning", "just-too-late")
START_S = 3_600.0
"""Conversations begin within the first hour."""


class Quarters:
    """A tokenizer whose tokens are four characters: the fixed rule by which the stand-in counts."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._texts: list[str] = []

    def encode(self, text: str, *, special: bool = True) -> bytes:
        found = []
        for start in range(0, len(text), 4):
            piece = text[start : start + 4]
            if piece not in self._ids:
                self._ids[piece] = len(self._texts)
                self._texts.append(piece)
            found.append(self._ids[piece])
        return pack(found)

    def decode(self, token_ids: list[int], *, skip_special: bool = True) -> str:
        return "".join(self._texts[token_id] for token_id in token_ids)


CODEC = Quarters()


def words(chance: random.Random, tokens: int) -> str:
    """A text of that many tokens that nobody says twice."""
    return f"{chance.getrandbits(64):016x}{' and so on' * tokens}"[: 4 * tokens]


@dataclass
class Talk:
    """One thread of a scenario as it goes on."""

    messages: list[Body]
    turns: list[str]
    done: int = 0
    children: list[tuple[int, Talk]] = field(default_factory=list)
    """Talks that begin with this one's messages after that many turns."""


def scenario_requests(scenario: Scenario, model: str, gap: Gap, chance: random.Random) -> Iterator[Asked]:
    """A scenario's requests in time. Questions on the same documents follow each other like turns."""
    system = scenario.threads[0].opening[0].content
    talks: dict[str, Talk] = {}
    waiting: list[tuple[float, int, list[Talk]]] = []
    lines: dict[str, list[Talk]] = {}
    for thread in scenario.threads:
        begun = talks[thread.name] = Talk([], list(thread.turns))
        if thread.branch_of is not None:
            talks[thread.branch_of].children.append((thread.branch_after, begun))
        else:
            lines.setdefault(thread.name.rsplit("-question-", 1)[0], []).append(begun)
    for number, line in enumerate(lines.values()):
        heapq.heappush(waiting, (chance.uniform(0, START_S), number, line))
    number = len(waiting)
    while waiting:
        now, _, line = heapq.heappop(waiting)
        talk = line[0]
        context, found, question = talk.turns[talk.done].rpartition("\n\nQuestion:")
        content: Any = (
            [{"type": "text", "text": context}, {"type": "text", "text": f"Question:{question}"}] if found else question
        )
        talk.messages.append({"role": "user", "content": content})
        yield now, {"model": model, "max_tokens": 64, "system": system, "messages": list(talk.messages)}
        talk.messages.append({"role": "assistant", "content": words(chance, scenario.answer_tokens)})
        talk.done += 1
        for after, child in talk.children:
            if after == talk.done:
                number += 1
                child.messages = list(talk.messages)
                heapq.heappush(waiting, (now + gap(chance), number, [child]))
        if talk.done == len(talk.turns):
            line = line[1:]
        if line:
            heapq.heappush(waiting, (now + gap(chance), number + 1, line))
            number += 1


def rounds(name: str, model: str, gap: Gap, seed: int, number: int) -> list[Asked]:
    """The scenario `number` times, each with other customers, documents or tasks, begun an hour after the last."""
    found: list[Asked] = []
    for turn in range(number):
        scenario = WORKLOADS[name].build(CODEC, 1_000 * seed + turn, "full")
        chance = random.Random(f"{name} {seed} {turn}")
        found += [(START_S * turn + at, body) for at, body in scenario_requests(scenario, model, gap, chance)]
    return sorted(found, key=lambda asked: asked[0])


def adversarial(name: str, model: str, chance: random.Random) -> Iterator[Asked]:
    """Workloads on which breakpoints lose money, or would if they were placed on every prompt."""
    now = 0.0

    def body(system: str, *texts: str) -> Body:
        roles = ("user", "assistant")
        messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
        return {"model": model, "max_tokens": 64, "system": system, "messages": messages}

    if name == "one-shot":
        # No two have anything in common.
        for _ in range(400):
            now += chance.expovariate(1 / 10)
            yield now, body(words(chance, 1_500), words(chance, 1_000))
    elif name == "pairs":
        # Each prompt comes exactly twice.
        asked = []
        for _ in range(200):
            now += chance.expovariate(1 / 20)
            prompt = body(words(chance, 1_500), words(chance, 1_000))
            asked += [(now, prompt), (now + chance.uniform(5, 1_200), prompt)]
        yield from sorted(asked, key=lambda pair: pair[0])
    elif name == "turning":
        # Conversations for two hours, then one-shot prompts only.
        asked = []
        for _ in range(60):
            start, texts, system = chance.uniform(0, 7_200), [], words(chance, 1_500)
            for _ in range(5):
                texts.append(words(chance, 200))
                asked.append((start, body(system, *texts)))
                texts.append(words(chance, 100))
                start += chance.uniform(5, 300)
        yield from sorted(asked, key=lambda pair: pair[0])
        now = 10_000.0
        for _ in range(600):
            now += chance.expovariate(1 / 5)
            yield now, body(words(chance, 1_500), words(chance, 1_000))
    else:
        # Each conversation goes on just after an hour, when everything is gone.
        asked = []
        for _ in range(60):
            start, texts, system = chance.uniform(0, 3_600), [], words(chance, 1_500)
            for _ in range(5):
                texts.append(words(chance, 200))
                asked.append((start, body(system, *texts)))
                texts.append(words(chance, 100))
                start += chance.uniform(3_605, 3_900)
        yield from sorted(asked, key=lambda pair: pair[0])


# ---- asking


def without(requests: list[Asked]) -> float:
    return float(sum(block.tokens for _, body in requests for block in blocks_of(body)))


def with_system(requests: list[Asked]) -> float:
    now = 0.0
    cache = AnthropicCache(lambda: now)
    cost = 0.0
    for now, body in requests:  # noqa: B007 (the clock reads it)
        system = [{"type": "text", "text": body["system"], "cache_control": {"type": "ephemeral"}}]
        cost += cache.ask({**body, "system": system}).cost
    return cost


def with_auto(requests: list[Asked], times: list[float]) -> float:
    now = 0.0
    cache = AnthropicCache(lambda: now)
    breakpoints = Breakpoints(lambda: now)
    cost = 0.0
    for now, body in requests:  # noqa: B007 (the clock reads it)
        fields = msgspec.json.decode(msgspec.json.encode(body), type=dict[str, msgspec.Raw])
        start = time.perf_counter()
        done = breakpoints.place(fields, "account", body["model"], CachePolicy())
        times.append(time.perf_counter() - start)
        assert done is not None
        counts = cache.ask(msgspec.json.decode(msgspec.json.encode(done.fields)))
        breakpoints.settle(done, usage(counts))
        cost += counts.cost
    return cost


def usage(counts: Counts) -> Usage:
    return Usage(
        prompt_tokens=counts.total,
        cached_tokens=counts.read,
        cache_write_tokens=counts.written_5m + counts.written_1h,
        long_write_tokens=counts.written_1h,
    )


def bound(requests: list[Asked]) -> float:
    """The least that each block's tokens can cost over all prompts that hold it, summed."""
    seen: dict[tuple[int, ...], list[float]] = {}
    sizes: dict[tuple[int, ...], int] = {}
    for now, body in requests:
        path: tuple[int, ...] = ()
        for block in blocks_of(body):
            path = (hash((path, block.held)),)
            seen.setdefault(path, []).append(now)
            sizes[path] = block.tokens
    total = 0.0
    for path, visits in seen.items():
        # What it has cost so far, by what is kept after the last visit.
        costs = {0.0: 0.0}
        for index, now in enumerate(visits):
            gap = now - visits[index - 1] if index else math.inf
            after = {0.0: math.inf, 300.0: math.inf, 3_600.0: math.inf}
            for kept, cost in costs.items():
                if gap < kept:
                    after[kept] = min(after[kept], cost + 0.1)
                for ttl, price in ((0.0, 1.0), (300.0, 1.25), (3_600.0, 2.0)):
                    after[ttl] = min(after[ttl], cost + price)
            costs = after
        total += sizes[path] * min(costs.values())
    return total


def measured(requests: list[Asked], times: list[float]) -> dict[str, float]:
    plain = without(requests)
    return {
        "requests": len(requests),
        "auto_percent": round(100 * with_auto(requests, times) / plain, 2),
        "system_percent": round(100 * with_system(requests) / plain, 2),
        "bound_percent": round(100 * bound(requests) / plain, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="claude-opus-5", help="whose minimum holds")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=8, help="of each scenario, one after the other")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--adversarial", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    times: list[float] = []
    rows: list[dict[str, Any]] = []
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        for name in WORKLOADS:
            for distribution, gap in GAPS.items():
                row: dict[str, Any] = {"scenario": name, "gaps": distribution, "seed": seed}
                cold = rounds(name, chosen.model, gap, seed, 1)
                row["first_round_percent"] = round(100 * with_auto(cold, times) / without(cold), 2)
                rows.append(row | measured(rounds(name, chosen.model, gap, seed, chosen.rounds), times))
        for name in ADVERSARIAL if chosen.adversarial else ():
            requests = list(adversarial(name, chosen.model, random.Random(f"{name} {seed}")))
            rows.append({"scenario": name, "gaps": "", "seed": seed} | measured(requests, times))
    micros = round(1e6 * statistics.median(times), 1)
    if chosen.json:
        print(json.dumps({"model": chosen.model, "place_us_p50": micros, "rows": rows}))
        return
    print(f"{chosen.model}, {chosen.seeds} seeds; percent of the prompts' cost without breakpoints, worst of the seeds")
    print(f"{'':55}{'auto':>8}{'mean':>8}{'system':>8}{'bound':>8}{'most over system':>18}{'first round':>13}")
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["scenario"], row["gaps"]), []).append(row)
    for (name, distribution), group in groups.items():
        auto = [row["auto_percent"] for row in group]
        system = [row["system_percent"] for row in group]
        over = max(row["auto_percent"] - row["system_percent"] for row in group)
        line = f"{name:10}{distribution:45}{max(auto):8.1f}{statistics.mean(auto):8.1f}{statistics.mean(system):8.1f}"
        line += f"{statistics.mean(row['bound_percent'] for row in group):8.1f}{over:18.2f}"
        if name in WORKLOADS:
            line += f"{max(row['first_round_percent'] for row in group):13.1f}"
        print(line)
    print(f"placing took {micros} µs (median)")


if __name__ == "__main__":
    main()
