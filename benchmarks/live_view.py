"""Decoding with a live subscriber on the tree's events, against none.

    python benchmarks/live_view.py [--rounds 12] [--tokens 96] [--json]

Needs the small model (`radixa pull smollm2`). A server with its engine answers the same batches of four streams in
turns, without a subscriber and with one, which reads `GET /v1/cache/events` as the dashboard does; there is no browser
on these cores. Told are tokens a second over the whole batch, prompts and HTTP included, and the engine's own seconds
of CPU for each token, which what else runs on the machine disturbs less. Each is the median of its rounds, and the
share that of rounds side by side.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.gateway.live import KEY, Live, serving

STREAMS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), "--sandbox") as live:
        found = asyncio.run(measured(live, options.rounds, options.tokens)) | {"load": load}
    if options.json:
        print(json.dumps(found))
        return
    print(f"{options.rounds} rounds of {STREAMS} streams of {options.tokens} tokens; load before: {load:.1f}")
    print(f"without a subscriber {found['alone_tokens_s']:.1f} tokens/s, with one {found['watched_tokens_s']:.1f}")
    print(f"speed {found['speed_percent']:.1f} % (asked: 97), {found['events']} events told")
    print(f"engine CPU for a token {found['alone_cpu_ms']:.2f} ms, with a subscriber {found['watched_cpu_ms']:.2f} ms")


async def measured(live: Live, rounds: int, tokens: int) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {KEY}"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(live.url, headers=headers, timeout=timeout) as client:
        await batch(client, 0, tokens)
        speeds: dict[bool, list[float]] = {False: [], True: []}
        costs: dict[bool, list[float]] = {False: [], True: []}
        events = 0
        for number in range(1, rounds + 1):
            # Which comes first changes, since the tree grows.
            for watched in (False, True) if number % 2 else (True, False):
                heard: list[bytes] = []
                ready = asyncio.Event()
                subscriber = asyncio.create_task(listen(client, heard, ready)) if watched else None
                if subscriber is not None:
                    await ready.wait()
                cpu, started = cpu_s(live), time.perf_counter()
                made = await batch(client, 2 * number + watched, tokens)
                speeds[watched].append(made / (time.perf_counter() - started))
                costs[watched].append((cpu_s(live) - cpu) / made)
                if subscriber is not None:
                    subscriber.cancel()
                    await asyncio.gather(subscriber, return_exceptions=True)
                    events += sum(line.startswith(b"event: changes") for line in heard)
    pairs = [with_one / alone for alone, with_one in zip(speeds[False], speeds[True], strict=True)]
    return {
        "alone_tokens_s": statistics.median(speeds[False]),
        "watched_tokens_s": statistics.median(speeds[True]),
        "speed_percent": 100 * statistics.median(pairs),
        "alone_cpu_ms": 1e3 * statistics.median(costs[False]),
        "watched_cpu_ms": 1e3 * statistics.median(costs[True]),
        "events": events,
    }


async def listen(client: aiohttp.ClientSession, heard: list[bytes], ready: asyncio.Event) -> None:
    async with client.get("/v1/cache/events") as answer:
        async for line in answer.content:
            heard.append(line)
            ready.set()


async def batch(client: aiohttp.ClientSession, number: int, tokens: int) -> int:
    """Answers to prompts that nobody has sent before; their tokens."""
    made = await asyncio.gather(
        *[one(client, f"Story {number}.{stream}. Once upon a time", tokens) for stream in range(STREAMS)]
    )
    return sum(made)


async def one(client: aiohttp.ClientSession, prompt: str, tokens: int) -> int:
    body = {"prompt": prompt, "max_tokens": tokens, "ignore_eos": True, "temperature": 0}
    async with client.post("/v1/completions", json=body) as answer:
        found = await answer.json()
        assert answer.status == 200, found
        return int(found["usage"]["completion_tokens"])


def cpu_s(live: Live) -> float:
    """Seconds of CPU that the engine's process has used."""
    (engine,) = live.engine_pids()
    fields = Path(f"/proc/{engine}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
