"""What the gateway itself costs, before an upstream that answers at once. Nothing else should run meanwhile.

    python benchmarks/gateway.py                                 # throughput, latency, memory
    python benchmarks/gateway.py --litellm VENV/bin/litellm      # beside LiteLLM's proxy, in the same run

Load generator, gateway and upstream share this machine's cores. Keys, limits and the ledger are on. LiteLLM's proxy
runs as its documentation says, with a master key, without a database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.serving import (
    KEY,
    Process,
    connect,
    free_port,
    listening,
    reachable,
    request_bytes,
    start_gateway,
    upstream,
)

PROMPT = "You are a helpful assistant. " * 40
BODY = {"model": "mock", "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": "Hello?"}]}
WHOLE = json.dumps(BODY).encode()
STREAM = json.dumps(BODY | {"stream": True, "stream_options": {"include_usage": True}}).encode()
CONNECTIONS = 16
LITELLM = """
model_list:
  - model_name: mock
    litellm_params: {{model: openai/mock, api_base: "http://127.0.0.1:{port}/v1", api_key: none}}
general_settings: {{master_key: {key}}}
"""


async def throughput(url: str, requests: int) -> float:
    """Requests a second over `CONNECTIONS` connections."""
    raw = request_bytes("x", "/v1/chat/completions", WHOLE)
    left = requests
    connections = [await connect(url) for _ in range(CONNECTIONS)]

    async def run(number: int) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            answer = await connections[number].ask(raw)
            assert answer.startswith(b"HTTP/1.1 200"), answer[:300]

    begun = time.perf_counter()
    await asyncio.gather(*map(run, range(CONNECTIONS)))
    seconds = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return requests / seconds


async def latencies(url: str, requests: int, body: bytes) -> tuple[list[float], list[float]]:
    """Milliseconds to the end of each answer, and to its first text where it is a stream; one connection."""
    raw = request_bytes("x", "/v1/chat/completions", body)
    connection = await connect(url)
    whole, first = [], []
    for _ in range(requests):
        begun = time.perf_counter()
        answer = await connection.ask(raw)
        whole.append((time.perf_counter() - begun) * 1e3)
        first.append((connection.first_at - begun) * 1e3)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    connection.close()
    return whole, first


def percentile(found: list[float], share: float) -> float:
    return sorted(found)[min(len(found) - 1, int(len(found) * share))]


async def added(direct: str, through: str, requests: int) -> dict[str, float]:
    """What the way through a gateway adds, in milliseconds: rounds of both take turns."""
    seen: dict[str, list[float]] = {name: [] for name in ("direct", "through", "first direct", "first through")}
    for _ in range(10):
        for name, url in (("direct", direct), ("through", through)):
            seen[name] += (await latencies(url, requests // 10, WHOLE))[0]
            seen[f"first {name}"] += (await latencies(url, requests // 10, STREAM))[1]
    return {
        "added_p50_ms": percentile(seen["through"], 0.5) - percentile(seen["direct"], 0.5),
        "added_p99_ms": percentile(seen["through"], 0.99) - percentile(seen["direct"], 0.99),
        "added_ttft_p50_ms": percentile(seen["first through"], 0.5) - percentile(seen["first direct"], 0.5),
    }


@contextmanager
def litellm(program: str, port: int, folder: Path) -> Iterator[str]:
    """LiteLLM's proxy before the same upstream; its URL."""
    config, own = folder / "litellm.yaml", free_port()
    config.write_text(LITELLM.format(port=port, key=KEY))
    command = [program, "--config", str(config), "--port", str(own), "--host", "127.0.0.1", "--num_workers", "1"]
    with (folder / "litellm.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "LITELLM_LOG": "ERROR"})
    try:
        until = time.monotonic() + 120
        while not reachable(own):
            assert process.poll() is None, (folder / "litellm.log").read_text()
            assert time.monotonic() < until, (folder / "litellm.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{own}"
    finally:
        process.terminate()
        process.wait()


async def measure(gateway: Process, port: int, bare: str, scale: float, other: str | None) -> dict[str, float]:
    """`port`: the upstream's; `bare`: the URL of the least gateway there can be; `other`: LiteLLM's."""
    direct = f"http://127.0.0.1:{port}"
    found: dict[str, float] = {}
    await throughput(gateway.url, 1_000)
    found["rss_after_1000_mb"] = gateway.resident_mb()
    found["upstream_alone_rps"] = await throughput(direct, int(20_000 * scale))
    rates, bounds, spent = [], [], 0.0
    if other is not None:
        await throughput(other, 100)
    for _ in range(3):
        before = gateway.cpu_s()
        rates.append(await throughput(gateway.url, int(10_000 * scale)))
        spent += gateway.cpu_s() - before
        bounds.append(await throughput(bare, int(10_000 * scale)))
        if other is not None:
            found["litellm_rps"] = max(found.get("litellm_rps", 0.0), await throughput(other, int(600 * scale)))
    found["rps"] = statistics.median(rates)
    found["bare_forward_rps"] = statistics.median(bounds)
    found["cpu_ms_a_request"] = spent * 1e3 / (3 * int(10_000 * scale))
    found |= await added(direct, gateway.url, int(3_000 * scale))
    if other is not None:
        through = await added(direct, other, int(300 * scale))
        found |= {f"litellm_{name}": value for name, value in through.items()}
    done = 1_000 + 3 * int(10_000 * scale) + 2 * int(3_000 * scale)
    await throughput(gateway.url, max(1_000, int(100_000 * scale) - done))
    found["requests"] = max(done + 1_000, int(100_000 * scale))
    found["rss_then_mb"] = gateway.resident_mb()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", metavar="PROGRAM", help="LiteLLM's command, of an environment of its own")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the requests, for a quick look")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        upstream() as port,
        listening("forward.py", f"http://127.0.0.1:{port}") as forward,
    ):
        folder, bare = Path(name), f"http://127.0.0.1:{forward}"
        gateway = start_gateway(folder, port)
        try:
            if options.litellm:
                with litellm(options.litellm, port, folder) as other:
                    found = uvloop.run(measure(gateway, port, bare, options.scale, other))
            else:
                found = uvloop.run(measure(gateway, port, bare, options.scale, None))
        finally:
            gateway.process.terminate()
            gateway.process.wait()
    load = os.getloadavg()[0]
    figures = {name: round(value, 3) for name, value in found.items()}
    figures |= {"cores": len(os.sched_getaffinity(0)), "load": round(load, 2)}
    if options.json:
        print(json.dumps(figures | {name: version(name) for name in ("uvicorn", "httptools", "aiohttp", "uvloop")}))
        return
    for label, value in figures.items():
        print(f"{label:24} {value}")


if __name__ == "__main__":
    main()
