"""What KV events, retention and namespaces cost the tree: `python benchmarks/tree_features.py` prints medians in
microseconds of a plain tree, of one whose events are published, and of one with retention and namespaces too.

The traces are those of `tree.py`. Each request goes through all trees, one right after the other and in turns the
first, so that they meet the same machine. With all three, the requests come from 8 namespaces, told by a prompt's first
token, so that all trees hit alike, and each third has a TTL or a pin within a budget of half the capacity.
"""

from __future__ import annotations

import argparse
import gc
import platform
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import median
from time import perf_counter_ns

from tree import CAPACITY, Request, conversations, micros, partings, processor, questions

from radixa.core.tokens import TOKEN_BYTES, pack
from radixa.engine.events.base import EventSettings
from radixa.engine.events.publisher import KVEvents
from radixa.radix import NOTHING, Keep, Tree

NAMESPACES = 8
KEEPS = (Keep(ttl=60.0), Keep(ttl=5.0), Keep(pin=True))


def request(tree: Tree[None], asked: bytes, whole: bytes, space: str, keep: Keep | None) -> list[int]:
    """Nanoseconds of match, eviction and insert (with retention)."""
    times = [perf_counter_ns()]
    found = tree.match(asked, space)
    times.append(perf_counter_ns())
    tree.lock(found.node)
    short = tree.tokens + len(whole) // TOKEN_BYTES - found.tokens - CAPACITY
    if short > 0:
        tree.evict(short)
    times.append(perf_counter_ns())
    node = tree.insert(whole, None, space).node
    if keep is not None:
        tree.retain(node, keep)
    times.append(perf_counter_ns())
    tree.unlock(found.node)
    return [after - before for before, after in pairwise(times)]


def compared(trace: Iterable[Request], pause: float) -> Iterator[str]:
    publishers = [KVEvents(EventSettings(endpoint="tcp://127.0.0.1:*")) for _ in range(2)]
    heard, both = (publisher.listeners for publisher in publishers)
    trees = (Tree(NOTHING), Tree(NOTHING, listeners=heard), Tree(NOTHING, listeners=both, budget=CAPACITY // 2))
    times: list[list[list[int]]] = [[], [], []]
    for number, (prompt, output) in enumerate(trace):
        asked, whole = pack(prompt), pack(prompt + output)
        space = f"account-{prompt[0] % NAMESPACES}"
        keep = KEEPS[number // 3 % len(KEEPS)] if number % 3 == 0 else None
        for turn in range(3):
            which = (number + turn) % 3
            wish = (space, keep) if which == 2 else ("", None)
            times[which].append(request(trees[which], asked, whole, *wish))
        time.sleep(pause)
    for publisher in publishers:
        publisher.close()
    plain = median([sum(row) for row in times[0]])
    for name, rows in zip(("plain", "with events", "with all three"), times, strict=True):
        match, evict, insert = (micros([row[column] for row in rows]) for column in range(3))
        whole_request = median([sum(row) for row in rows])
        yield (
            f"  {name:15}match {match}  evict {evict}  insert {insert}  "
            f"request {whole_request / 1_000:.1f}, {whole_request / plain:.2f} times"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two requests, for the thread to work")
    arguments = parser.parse_args()
    print(f"{processor()}, Python {platform.python_version()}; medians in microseconds")
    for trace in (conversations, questions, partings):
        requests = list(trace())
        gc.collect()
        gc.freeze()
        print(trace.__name__)
        for line in compared(requests, arguments.pause):
            print(line)


if __name__ == "__main__":
    main()
