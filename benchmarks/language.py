"""What the front-end language saves and what it costs, on a server of this machine.

    python benchmarks/language.py [--json]

Prints three figures: the share of its prompt tokens that a batch of 64 few-shot programs computes, the time of
`fork(8)` over a 2,000-token prefix against eight separate requests to a server that is told to miss, and the language's
own time per `gen` call.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from typing import Any

import radixa as rx
from radixa.lang.base import Answer, Listener, Options, Prompt
from radixa.lang.chat_backend import ChatBackend

PROGRAMS = 64
EXAMPLE_TOKENS = 1_000
"""Of the few-shot examples that all programs begin with."""
QUESTION_TOKENS = 20
BRANCHES = 8
PREFIX_TOKENS = 2_000
"""That the branches share."""
ANSWER_TOKENS = 8
OVERHEAD_CALLS = 500
WORDS = [
    *("river", "lake", "mountain", "valley", "harbour", "bridge", "tower", "market"),
    *("garden", "castle", "island", "forest", "meadow", "village", "station", "museum"),
]


def words(count: int, seed: int) -> str:
    """Text of about that many tokens, another one for each seed."""
    return " ".join(random.Random(seed).choices(WORDS, k=count))


@rx.function
def few_shot(s: Any, examples: str, question: str) -> None:
    s += rx.system(examples)
    s += rx.user(question)
    s += rx.assistant(rx.gen("answer", max_tokens=4, temperature=0))


@rx.function
def forked(s: Any, prefix: str) -> None:
    s += prefix
    branches = s.fork(BRANCHES)
    branches += lambda i: f" {words(10, i)}:" + rx.gen("x", max_tokens=ANSWER_TOKENS, temperature=0, ignore_eos=True)
    branches.join()


@rx.function
def separate(s: Any, prefix: str, number: int) -> None:
    s += prefix + f" {words(10, number)}:"
    s += rx.gen("x", max_tokens=ANSWER_TOKENS, temperature=0, ignore_eos=True)


class Nothing(ChatBackend):
    """Answers at once, so that what is left is the language's own time."""

    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]:
        return [Answer("x")]

    def formed(self, prompt: Prompt, schema: dict[str, Any]) -> Answer:
        return Answer("x")


@rx.function
def calls(s: Any, count: int) -> None:
    for i in range(count):
        s += "a" + rx.gen(f"x{i}", max_tokens=1)
        s[f"x{i}"]


def computed_percent(backend: rx.RuntimeEndpoint) -> float:
    """Prompt tokens that went through the model, of all that were asked."""
    backend.flush_cache()
    before = computed_tokens(backend)
    batch = [
        {"examples": words(EXAMPLE_TOKENS, PROGRAMS), "question": words(QUESTION_TOKENS, i)} for i in range(PROGRAMS)
    ]
    states = few_shot.run_batch(batch, backend=backend)
    asked = sum(state.get_meta_info("answer")["prompt_tokens"] for state in states)
    return 100.0 * (computed_tokens(backend) - before) / asked


def computed_tokens(backend: rx.RuntimeEndpoint) -> int:
    return int(backend.get_server_info()["cache"]["engine"]["computed_tokens"])


def seconds_forked(backend: rx.RuntimeEndpoint) -> float:
    backend.flush_cache()
    begun = time.perf_counter()
    forked.run(prefix=words(PREFIX_TOKENS, PROGRAMS), backend=backend).text()
    return time.perf_counter() - begun


def seconds_separate(backend: rx.RuntimeEndpoint) -> float:
    """One after the other's start, all at once on the server: as eight clients would ask."""
    separate.run(prefix="", number=0, backend=backend).text()  # a server's first request takes longer
    begun = time.perf_counter()
    states = [separate.run(prefix=words(PREFIX_TOKENS, PROGRAMS), number=i, backend=backend) for i in range(BRANCHES)]
    for state in states:
        state.text()
    return time.perf_counter() - begun


def overhead_ms() -> float:
    """The median over a few runs of the time per call."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        calls.run(count=OVERHEAD_CALLS, backend=Nothing("nothing", None)).sync()
        times.append((time.perf_counter() - begun) / OVERHEAD_CALLS)
    return statistics.median(times) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = parser.parse_args()
    with rx.Runtime("smollm2") as runtime:
        computed = computed_percent(runtime)
        fork = seconds_forked(runtime)
    with rx.Runtime("smollm2", cache={"force_miss": True}) as missing:
        alone = seconds_separate(missing)
    found = {
        "computed_percent": round(computed, 2),
        "fork_s": round(fork, 3),
        "separate_s": round(alone, 3),
        "fork_percent": round(100 * fork / alone, 1),
        "overhead_ms": round(overhead_ms(), 3),
    }
    if wanted.json:
        print(json.dumps(found))
        return
    print(f"{PROGRAMS} few-shot programs: {found['computed_percent']} % of the prompt tokens computed")
    times = f"{fork:.2f} s, separately without reuse {alone:.2f} s"
    print(f"fork({BRANCHES}) over {PREFIX_TOKENS:,} tokens: {times}: {found['fork_percent']} %")
    print(f"overhead per gen call: {found['overhead_ms']} ms")


if __name__ == "__main__":
    main()
