"""What the cache as a product costs and gives: `python benchmarks/cache.py`, about two minutes on two cores.

1. The tree with retention, namespaces, ghosts and KV events on, against the plain tree: medians over the conversations
   of `benchmarks/tree.py`, both in turns in one run.
2. A cache filled with pins and TTLs, then 1,000 new requests: how many had to wait for room.
3. The time to the first token of a 4,096-token prompt: cold, and restored from disk after `kill -9` and a restart.

With `--only tree|pins|restore` one of them. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import tempfile
import time
import urllib.request
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns

from benchmarks.tree import CAPACITY, conversations

from radixa.core.machine import cpu_name
from radixa.core.tokens import pack
from radixa.engine.events.base import EventSettings
from radixa.engine.events.make import make_publisher
from radixa.kv.ghosts import Ghosts
from radixa.kv.radix_cache import RadixCache
from radixa.lang.serving import started
from radixa.radix import NOTHING, Keep, Tree

PROMPT = 4_096
PROMPTS = 3
Times = dict[str, list[int]]


def replayed(tree: Tree[None], namespaces: int, keep: Keep | None) -> Times:
    """Nanoseconds of each operation over the conversations: match, lock, evict what is missing, insert, unlock."""
    times: Times = {"match": [], "insert": [], "evict": []}
    for number, (prompt, output) in enumerate(conversations()):
        # A conversation stays in one namespace: the last token of its system prompt names it.
        namespace = f"account-{prompt[1_000] % namespaces}"
        asked, whole = pack(prompt), pack(prompt + output)
        start = perf_counter_ns()
        found = tree.match(asked, namespace)
        times["match"].append(perf_counter_ns() - start)
        tree.lock(found.node)
        short = tree.tokens + len(prompt) + len(output) - found.tokens - CAPACITY
        if short > 0:
            start = perf_counter_ns()
            tree.evict(short)
            times["evict"].append(perf_counter_ns() - start)
        start = perf_counter_ns()
        node = tree.insert(whole, None, namespace).node
        times["insert"].append(perf_counter_ns() - start)
        tree.unlock(found.node)
        if keep is not None and number % 3 == 0:
            tree.retain(node, keep)
    return times


def tree_cost() -> None:
    def plain() -> Times:
        return replayed(Tree(NOTHING), 1, None)

    def full() -> Times:
        events = make_publisher(EventSettings(enable_kv_cache_events=True, endpoint="tcp://127.0.0.1:*"))
        try:
            listeners = (Ghosts(4 * CAPACITY), *events.listeners)
            return replayed(Tree(NOTHING, budget=CAPACITY // 2, listeners=listeners), 4, Keep(ttl=60))
        finally:
            events.close()

    ways: dict[str, Callable[[], Times]] = {"plain": plain, "full": full}
    medians: dict[str, dict[str, list[float]]] = {name: {"match": [], "insert": [], "evict": []} for name in ways}
    for _ in range(3):
        for name, run in ways.items():
            for operation, times in run().items():
                medians[name][operation].append(median(times) / 1_000)
    print("tree, p50 in microseconds, least of 3 runs in turns: plain, with everything on, ratio")
    for operation in ("match", "insert", "evict"):
        before, after = (min(medians[name][operation]) for name in ("plain", "full"))
        print(f"  {operation:6}  {before:6.1f}  {after:6.1f}  {after / before:.2f}")


def pins() -> None:
    capacity, length = 100_000, 500
    cache = RadixCache(capacity, retention=1.0)
    rng = random.Random(0)

    def serve(keep: Keep | None) -> bool:
        key = pack(rng.choices(range(50_000), k=length))
        lease = cache.match(key, "a", length - 1)
        room = cache.extend(lease, length)
        if room:
            cache.finish(lease, key, keep=keep)
        else:
            cache.release(lease)
        return room

    for number in range(capacity // length):
        serve((Keep(pin=True), Keep(ttl=86_400), Keep(priority=True))[number % 3])
    stats = cache.stats()
    print(
        f"pins: {stats.retained:,} of {capacity:,} slots retained, {stats.free:,} free; then 1,000 requests of {length}"
    )
    times, waited = [], 0
    for _ in range(1_000):
        start = perf_counter_ns()
        waited += not serve(None)
        times.append(perf_counter_ns() - start)
    cache.check_integrity()
    print(f"  {waited} had to wait; a request takes {median(times) / 1_000:.0f} microseconds of the cache's time")


def restore() -> None:
    rng = random.Random(0)
    prompts = [rng.choices(range(1_000, 40_000), k=PROMPT) for _ in range(PROMPTS)]
    with tempfile.TemporaryDirectory() as folder:
        # The same accounts both times: blocks are named by whose they are.
        settings = {
            "RADIXA_CACHE_DISK_FOLDER": f"{folder}/kv",
            "RADIXA_STORE_URL": f"sqlite:///{folder}/radixa.db",
        }
        cold, first = _asked(settings, prompts, kill=True)
        warm, second = _asked(settings, prompts, kill=False)
    assert first == second, "an answer changed"
    shares = [after / before for before, after in zip(cold, warm, strict=True)]
    print(
        f"restored after kill -9, {PROMPT:,} tokens: cold {median(cold):,.0f} ms, restored {median(warm):,.0f} ms, "
        f"{median(shares):.1%} (medians of {PROMPTS}); the answers are the same"
    )


def _asked(settings: dict[str, str], prompts: list[list[int]], *, kill: bool) -> tuple[list[float], list[str]]:
    """Milliseconds to the first token of each prompt, as the server's usage says, and the answers."""
    with started("smollm2", settings=settings) as server:
        _complete(server.url, list(range(1_000, 1_200)))
        found = [_complete(server.url, prompt) for prompt in prompts]
        if kill:
            time.sleep(5)
            os.kill(server.pid, signal.SIGKILL)
    return [ttft for ttft, _ in found], [text for _, text in found]


def _complete(url: str, prompt: list[int]) -> tuple[float, str]:
    body = json.dumps({"model": "smollm2", "prompt": prompt, "max_tokens": 4, "temperature": 0}).encode()
    asked = urllib.request.Request(f"{url}/v1/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(asked) as response:
        answer = json.load(response)
    return answer["usage"]["radixa"]["ttft_ms"], answer["choices"][0]["text"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("tree", "pins", "restore"))
    only = parser.parse_args().only
    print(f"{cpu_name()}, Python {platform.python_version()}")
    for name, run in (("tree", tree_cost), ("pins", pins), ("restore", restore)):
        if only in (None, name):
            run()


if __name__ == "__main__":
    main()
