"""A gateway that is killed at random moments while 200 clients ask it: is each delivered answer in the ledger, once?

    python benchmarks/kill.py                # 20 times, about a minute

A client notes the `x-request-id` of every answer that came to its last byte, whole ones and streams. In the end
the server is started once more, so that it reads what its dead predecessors left, and the ledger is compared with
the notes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.gateway import STREAM, WHOLE
from benchmarks.serving import Process, connect, request_bytes, start_gateway, upstream

CLIENTS = 200
_ID = re.compile(rb"x-request-id: (\S+)", re.IGNORECASE)


async def client(url: str, number: int, delivered: list[str]) -> None:
    """Ask until the server is gone."""
    raw = request_bytes("x", "/v1/chat/completions", STREAM if number % 2 else WHOLE)
    try:
        connection = await connect(url)
        while True:
            answer = await connection.ask(raw)
            found = _ID.search(answer)
            if answer.startswith(b"HTTP/1.1 200") and found is not None:
                delivered.append(found[1].decode())
    except OSError:
        return


async def round_(server: Process, delivered: list[str], seconds: float) -> None:
    clients = [asyncio.create_task(client(server.url, number, delivered)) for number in range(CLIENTS)]
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.kill)
    await asyncio.wait(clients, timeout=5)
    for task in clients:
        task.cancel()


def ledger(folder: Path) -> dict[str, int]:
    """How often each request is in the database that `folder` holds."""
    (file,) = folder.rglob("radixa.db")
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT request_id, count(*) FROM ledger GROUP BY request_id")
        return dict(rows.fetchall())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    delivered: list[str] = []
    with tempfile.TemporaryDirectory() as name, upstream() as port:
        folder = Path(name)
        for number in range(options.kills):
            server = start_gateway(folder, port)
            uvloop.run(round_(server, delivered, chance.uniform(0.2, 2.0)))
            print(f"kill {number + 1}: {len(delivered)} answers delivered so far", file=sys.stderr, flush=True)
        server = start_gateway(folder, port)
        time.sleep(1)
        server.process.terminate()
        server.process.wait()
        found = ledger(folder)
    figures = {
        "kills": options.kills,
        "clients": CLIENTS,
        "delivered": len(delivered),
        "not_in_the_ledger": sum(request not in found for request in delivered),
        "twice": sum(times > 1 for times in found.values()),
        "in_the_ledger": len(found),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for label, value in figures.items():
        print(f"{label:20} {value}")


if __name__ == "__main__":
    main()
