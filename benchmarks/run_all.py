"""Every figure of the README, measured on this machine, one after the other; nothing else should run meanwhile.

    python benchmarks/run_all.py               # everything, about an hour and a half on two cores
    python benchmarks/run_all.py --only tree   # one group: engine, attention, scenarios, tree, server or equality

Prints one table and writes it, with what each benchmark printed, to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from radixa.bench.client import connect
from radixa.core.base import Message
from radixa.core.machine import cpu_name
from radixa.lang.serving import started

FOLDER = Path(__file__).parent
BUSY = 0.5
"""Load average from which something else is running."""
POOL_TOKENS = 16_384
"""Slots of the KV pool whose server's memory is measured."""


@dataclass(frozen=True)
class Figure:
    """One row of the table: what was measured, what the project wants of it, and what prints it."""

    name: str
    measured: str
    wanted: str
    command: str


def run(*command: str) -> str:
    """What a command prints; it must succeed."""
    shown = " ".join(command)
    print(f"==> {shown}", file=sys.stderr, flush=True)
    start = time.monotonic()
    found = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True, check=True)
    print(f"    {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return found.stdout


def radixa(*arguments: str) -> Any:
    return json.loads(run("-m", "radixa", *arguments, "--json"))


def engine() -> tuple[list[Figure], Any]:
    alone = "bench engine --workload prefill:512 --workload ttft:1024 --workload decode --batch 1 --batch 8 --batch 32"
    shared = "bench engine --workload shared-prefix:4096 --batch 32"
    reports = [radixa(*arguments.split()) for arguments in (alone, shared)]
    rows = {(row["workload"].split(":")[0], row["batch"]): row for report in reports for row in report["rows"]}
    prefill, warm, tree = rows["prefill", 1], rows["ttft", 1], rows["shared-prefix", 32]
    figures = [
        Figure(
            "prefill, 512-token prompt, of what its matrix products allow",
            f"{prefill['ratio']:.0%} ({prefill['figures']['tokens_per_s']:.0f} tok/s)",
            "60 %",
            f"radixa {alone}",
        )
    ]
    for batch, wanted in ((1, 85), (8, 88), (32, 90)):
        row = rows["decode", batch]
        text = f"{row['ratio']:.0%} ({row['figures']['engine_tokens_per_s']:.0f} tok/s)"
        figures.append(Figure(f"decode, batch {batch}, of a bare loop", text, f"{wanted} %", f"radixa {alone}"))
    figures += [
        Figure(
            "TTFT of a warm 1,024-token prefix + 32, of cold", f"{warm['ratio']:.1%}", "under 12 %", f"radixa {alone}"
        ),
        Figure(
            "32 over a shared 4,096 prefix: decode step, flat / tree", f"{tree['ratio']:.2f}", "1.5", f"radixa {shared}"
        ),
    ]
    return figures, reports


def attention() -> tuple[list[Figure], Any]:
    printed = run("benchmarks/attention.py")
    line = next(line for line in printed.splitlines() if line.startswith("decode 32 x 4,096 shared"))
    name = "32 over a shared 4,096 prefix: attention, flat / tree"
    return [Figure(name, line.split()[-1], "2.3", "python benchmarks/attention.py")], printed


def scenarios() -> tuple[list[Figure], Any]:
    reports = radixa("bench", "all")
    figures = []
    for report in reports:
        name, command = report["scenario"], f"radixa bench {report['scenario']}"
        below = 100 * (report["bound"] - report["hit_rate"])
        hits = f"{report['hit_rate']:.1%} (bound {report['bound']:.1%}, {below:.2f} points above)"
        figures += [
            Figure(f"{name}: prompt tokens not computed", hits, "within 2 points", command),
            Figure(f"{name}: prompt cost saved", f"{report['cost_saved_percent']:.1f} %", "70 %", command),
            Figure(f"{name}: median TTFT lower by", f"{report['ttft_saved_percent']:.1f} %", "50 %", command),
        ]
    return figures, reports


def tree() -> tuple[list[Figure], Any]:
    printed = run("benchmarks/tree.py")
    times = re.search(r"4,400-token prompts, 1,000 of them new: match (\S+)  insert (\S+)", printed)
    evict = re.search(r"evict 1,000 tokens at [\d,]+: (\S+)", printed)
    large = re.search(r"1,000,000 nodes \S+: (\S+) times", printed)
    if not (times and evict and large):
        sys.exit(f"benchmarks/tree.py printed something else than expected:\n{printed}")
    command = "python benchmarks/tree.py"
    figures = [
        Figure(
            "tree, p50, match / insert / evict 1,000",
            f"{times[1]} / {times[2]} / {evict[1]} µs",
            "10 / 10 / 8",
            command,
        ),
        Figure("tree, match at 1,000,000 nodes, of that at 1,000", f"{large[1]} ×", "2 ×", command),
    ]
    return figures, printed


def server() -> tuple[list[Figure], Any]:
    """A second start, and the memory of all its processes once the whole pool has been written."""
    with started("smollm2"):
        pass
    with started("smollm2", settings={"RADIXA_ENGINE_KV_TOKENS": str(POOL_TOKENS)}) as found:
        cache = asyncio.run(fill(found.url))
        pool = cache["tiers"]["device"]["capacity"] * cache["bytes_per_token"]
        resident = sum(resident_bytes(pid) for pid in family(found.pid))
        command = "python benchmarks/run_all.py --only server"
        figures = [
            Figure("server, from start to ready, second start", f"{found.seconds:.1f} s", "5 s", command),
            Figure("resident memory besides the KV pool", f"{(resident - pool) / 1e9:.2f} GB", "0.9 GB", command),
        ]
        return figures, {"seconds": found.seconds, "resident": resident, "pool": pool, "cache": cache}


async def fill(url: str) -> Any:
    """Send prompts that nobody sent before until more than the pool has been written."""
    async with connect(url) as client:
        model = await client.default_model()
        written = number = 0
        while written < 1.2 * POOL_TOKENS:
            text = " ".join(str(number * 10_000 + i) for i in range(900))
            answer = await client.complete(model, [Message("user", text)], max_tokens=1)
            written += int(answer.usage["prompt_tokens"])
            number += 1
        return await client.get("/v1/cache")


def family(pid: int) -> list[int]:
    """A process and all that it started, and those started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in family(int(child)))]


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def equality() -> tuple[list[Figure], Any]:
    rows = json.loads(run("benchmarks/equality.py", "--json"))
    command = "python benchmarks/equality.py"
    exact = [row for row in rows if row["dtype"] == "float32"]
    rounded = [row for row in rows if row["dtype"] == "bfloat16"]
    share = sum(row["different"] for row in rounded) / sum(row["prompts"] for row in rounded)
    different = sum(row["different"] for row in exact)
    figures = [
        Figure(f"greedy texts that differ, float32, {len(exact)} ways", str(different), "0", command),
        Figure(f"greedy texts that differ, bfloat16, {len(rounded)} ways", f"{share:.1%}", "stated", command),
    ]
    return figures, rows


GROUPS: dict[str, Callable[[], tuple[list[Figure], Any]]] = {
    "tree": tree,
    "attention": attention,
    "engine": engine,
    "server": server,
    "scenarios": scenarios,
    "equality": equality,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=GROUPS, action="append", help="may be repeated")
    wanted = parser.parse_args().only or list(GROUPS)
    os.chdir(FOLDER.parent)
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"The load is {load:.1f}: other programs compute too, and these figures will be worse.", file=sys.stderr)
    figures: list[Figure] = []
    printed = {}
    for name in wanted:
        found, printed[name] = GROUPS[name]()
        figures += found
    now = datetime.now().astimezone()
    machine = {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": version("torch"),
        "radixa": version("radixa"),
        "date": now.isoformat(timespec="seconds"),
        "load": load,
    }
    result = FOLDER / "results" / f"{now:%Y-%m-%d-%H%M}.json"
    result.parent.mkdir(exist_ok=True)
    report = {"machine": machine, "figures": [asdict(figure) for figure in figures], "printed": printed}
    result.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    show(machine, figures)
    print(f"wrote {result.relative_to(FOLDER.parent)}")


def show(machine: dict[str, Any], figures: list[Figure]) -> None:
    title = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "load")
    table = Table("figure", "measured", "wanted", "printed by", title=title, title_justify="left")
    for figure in figures:
        table.add_row(figure.name, figure.measured, figure.wanted, figure.command)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


if __name__ == "__main__":
    main()
