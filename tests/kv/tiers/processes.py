"""What other processes do to a tier's folder, until they end or are killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from radixa.kv.tiers.base import Target
from radixa.kv.tiers.disk import DiskOptions
from radixa.kv.tiers.index import Index
from tests.kv.tiers.support import FILE_BYTES, Bench, key

BUDGET = 60 * FILE_BYTES
POINTS: dict[str, tuple[Any, str]] = {
    "before the draft is whole": (os, "writev"),
    "before the draft is moved": (os, "replace"),
    "before the row is there": (Index, "add"),
    "before the file goes": (os, "unlink"),
    "before the row goes": (Index, "remove"),
}
"""Where `die` ends."""

# A process that has imported all this waits to be forked, because importing takes longer than what they do.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.kv.tiers.processes"])


@contextmanager
def writing(folder: Path, seed: int, rounds: int) -> Iterator[tuple[BaseProcess, Connection]]:
    """A process that runs `write`, with its tier open, and what it says at its end."""
    here, there = _context.Pipe()
    process = _context.Process(target=write, args=(folder, seed, rounds, there))
    process.start()
    there.close()
    try:
        assert here.recv() == "ready"
        yield process, here
    finally:
        process.kill()
        process.join()
        process.close()
        here.close()


def write(folder: Path, seed: int, rounds: int, told: Connection) -> None:
    """So many writes, loads and deletions; then what the tier counted: dropped blocks, write errors, index rebuilds."""
    chance = random.Random(seed)
    bench = Bench(folder, options=DiskOptions(budget=BUDGET, write_bandwidth=1e12, retry=0.05))
    told.send("ready")
    for _ in range(rounds):
        path = key(*(chance.randint(0, 2) for _ in range(chance.randint(1, 8))))
        namespace = chance.choice("ab")
        start = bench.lookup(path, namespace)
        if chance.random() < 0.1:
            bench.tier.delete(Target(namespace=namespace))
        elif chance.random() < 0.3:
            bench.load(path, namespace)
        else:
            bench.write(path, namespace, start=start)
    bench.tier.close()
    stats = bench.tier.stats()
    told.send((dict(stats.dropped), stats.write_errors, stats.index_rebuilds))


def dying(folder: Path, point: str) -> int:
    """The exit code of a process that runs `die`."""
    process = _context.Process(target=die, args=(folder, point))
    process.start()
    process.join(60)
    code = process.exitcode
    assert code is not None
    process.close()
    return code


def die(folder: Path, point: str) -> None:
    """Write and delete, and be killed at that point of it."""
    bench = Bench(folder)
    bench.settle()
    bench.write(key(1, 2))
    owner, name = POINTS[point]
    setattr(owner, name, lambda *given: os.kill(os.getpid(), signal.SIGKILL))
    bench.write(key(1, 2, 3), start=2)
    bench.tier.delete(Target(prefix=bench.names(key(1, 2))[1]))
    bench.settle()
