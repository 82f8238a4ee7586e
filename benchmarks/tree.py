"""What the tree costs: `python benchmarks/tree.py` prints medians in microseconds, and the machine they come from.

Each trace has 2,000 requests and is replayed under LRU with 400,000 tokens of capacity: conversations over 20 system
prompts, 40 alive at a time, prompts of 2,000 to 7,968 tokens, about 5,000 on average; prompts of 4,400 tokens, each a
system prompt and 1,000 new tokens; and prompts of 4,400 tokens that part from an earlier one within a segment, so that
every match splits. Then evictions of 1,000 tokens from a full tree, and matches along paths of one shape in trees of
1,000 and of 1,000,000 nodes.
"""

from __future__ import annotations

import argparse
import gc
import platform
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from radixa.core.tokens import pack
from radixa.radix import NOTHING, Tree

CAPACITY = 400_000
VOCABULARY = range(50_000)
REQUESTS = 2_000

Request = tuple[list[int], list[int]]
"""Prompt and output."""


def tokens(rng: random.Random, count: int) -> list[int]:
    return rng.choices(VOCABULARY, k=count)


def conversations() -> Iterator[Request]:
    """A conversation that would outgrow 7,968 tokens ends and another begins."""
    rng = random.Random(0)
    systems = [tokens(rng, rng.randint(1_600, 2_400)) for _ in range(20)]
    live = [rng.choice(systems) for _ in range(40)]
    for _ in range(REQUESTS):
        which = rng.randrange(len(live))
        asked = tokens(rng, rng.randint(400, 750))
        if len(live[which]) + len(asked) > 7_968:
            live[which] = rng.choice(systems)
        prompt = live[which] + asked
        output = tokens(rng, rng.randint(100, 300))
        live[which] = prompt + output
        yield prompt, output


def questions() -> Iterator[Request]:
    rng = random.Random(0)
    systems = [tokens(rng, 3_400) for _ in range(20)]
    for _ in range(REQUESTS):
        yield rng.choice(systems) + tokens(rng, 1_000), tokens(rng, 200)


def partings() -> Iterator[Request]:
    rng = random.Random(0)
    earlier = [tokens(rng, 4_400) for _ in range(20)]
    for _ in range(REQUESTS):
        which = rng.randrange(len(earlier))
        kept = rng.randint(3_000, 3_800)
        earlier[which] = earlier[which][:kept] + tokens(rng, 4_400 - kept)
        yield earlier[which], tokens(rng, 200)


def replayed(trace: Iterable[Request], page_size: int) -> str:
    """Match, lock, evict what is missing, insert, unlock; the medians and the hit rate."""
    tree = Tree(NOTHING, page_size=page_size)
    matches, inserts, evictions = [], [], []
    prompts = hits = 0
    for prompt, output in trace:
        asked, whole = pack(prompt), pack(prompt + output)
        start = perf_counter_ns()
        found = tree.match(asked)
        matches.append(perf_counter_ns() - start)
        tree.lock(found.node)
        short = tree.tokens + len(prompt) + len(output) - found.tokens - CAPACITY
        if short > 0:
            start = perf_counter_ns()
            tree.evict(short)
            evictions.append(perf_counter_ns() - start)
        start = perf_counter_ns()
        tree.insert(whole, None)
        inserts.append(perf_counter_ns() - start)
        tree.unlock(found.node)
        prompts += len(prompt)
        hits += found.tokens
    return (
        f"match {micros(matches)}  insert {micros(inserts)}  evict {micros(evictions)}  "
        f"hit rate {hits / prompts:.4f}  mean prompt {prompts / len(matches):,.0f}  "
        f"tokens an eviction {tree.evicted / len(evictions):,.0f}"
    )


def evicted(tokens_each: int) -> str:
    """Evictions of that many tokens from the tree of `conversations`, which goes on between them."""
    tree = Tree(NOTHING)
    times = []
    for prompt, output in conversations():
        whole = pack(prompt + output)
        tree.match(whole)
        tree.insert(whole, None)
        if tree.tokens >= CAPACITY:
            start = perf_counter_ns()
            tree.evict(tokens_each)
            times.append(perf_counter_ns() - start)
    return micros(times)


def matched(nodes: int) -> float:
    """Least of three medians of a match of 1,088 tokens in a tree of that many nodes: a prompt of 1,024, then a path
    of three nodes."""
    rng = random.Random(0)
    prompts = [tokens(rng, 1_024) for _ in range(10)]

    def path(number: int) -> bytes:
        return pack(prompts[number % 10] + [number, *tokens(random.Random(number), 63)])

    tree = Tree(NOTHING)
    numbers = range(nodes // 3)
    for number in numbers:
        key = path(number)
        for end in (1_024, 1_040, 1_056, 1_088):
            tree.insert(key[: 4 * end], None)
    gc.freeze()
    medians = []
    for _ in range(3):
        times = []
        for number in rng.choices(numbers, k=2_000):
            key = path(number)
            start = perf_counter_ns()
            tree.match(key)
            times.append(perf_counter_ns() - start)
        medians.append(median(times) / 1_000)
    gc.unfreeze()
    return min(medians)


def micros(nanoseconds: list[int]) -> str:
    return f"{median(nanoseconds) / 1_000:.1f}"


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1_000_000, help="size of the large tree")
    arguments = parser.parse_args()
    print(f"{processor()}, Python {platform.python_version()}; medians in microseconds")
    for page_size in (1, 16, 64):
        print(f"conversations, page size {page_size}: {replayed(conversations(), page_size)}")
    print(f"4,400-token prompts, 1,000 of them new: {replayed(questions(), 1)}")
    print(f"4,400-token prompts, parting within a segment: {replayed(partings(), 1)}")
    print(f"evict 1,000 tokens at {CAPACITY:,}: {evicted(1_000)}")
    small, large = matched(1_000), matched(arguments.nodes)
    print(f"match at 1,000 nodes {small:.1f}, at {arguments.nodes:,} nodes {large:.1f}: {large / small:.2f} times")


if __name__ == "__main__":
    main()
