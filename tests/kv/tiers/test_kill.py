"""Processes that are killed while they write, and processes that share a folder."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from radixa.kv.tiers.base import BLOCK_BYTES, Target
from radixa.kv.tiers.disk import DiskOptions
from tests.kv.tiers.processes import BUDGET, dying, writing
from tests.kv.tiers.support import FILE_BYTES, Bench, key

Open = Callable[..., Bench]


def sound(bench: Bench, *, holes: bool = False) -> int:
    """All that a lookup finds loads as it was written, files and index agree, and the budget holds; how many blocks.

    With `holes`, blocks may be there whose parent is not: nothing finds them, and eviction takes them in their turn.
    """
    blocks = 0
    for namespace in "ab":
        pending = [[first] for first in range(3)]
        while pending:
            path = pending.pop()
            if bench.lookup(key(*path), namespace) < len(path):
                continue
            blocks += 1
            assert bench.load(key(*path), namespace) == len(path)
            if len(path) < 8:
                pending += [[*path, after] for after in range(3)]
    stats = bench.tier.stats()
    assert stats.blocks == len(bench.files())
    assert stats.bytes == stats.blocks * FILE_BYTES <= BUDGET
    # Where each block has a parent, the walk has seen all of them.
    assert blocks <= stats.blocks if holes else blocks == stats.blocks
    return blocks


@pytest.mark.parametrize("kills", [6, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
def test_whatever_a_killed_process_left_is_sound(tmp_path: Path, open_tier: Open, kills: int) -> None:
    folder = tmp_path / "kv"
    chance = random.Random(7)
    found = 0
    for seed in range(kills):
        with writing(folder, seed, 100_000):
            time.sleep(chance.uniform(0.0, 0.3))
        bench = open_tier(folder, options=DiskOptions(budget=BUDGET))
        found += sound(bench)
        stats = bench.tier.stats()
        # A file goes before its row does.
        assert set(stats.dropped) <= {"missing"}
        assert stats.index_rebuilds == 0
        bench.tier.close()
    assert found > 0


@pytest.mark.parametrize(
    ("point", "blocks", "adopted", "dropped"),
    [
        ("before the draft is whole", 2, 0, {}),
        ("before the draft is moved", 2, 0, {}),
        ("before the row is there", 3, 1, {}),
        ("before the file goes", 3, 0, {}),
        # The deepest goes first, so what is left is a path without a hole.
        ("before the row goes", 2, 0, {"missing": 1}),
    ],
)
def test_a_death_between_two_steps_leaves_what_the_next_start_mends(
    tmp_path: Path, open_tier: Open, point: str, blocks: int, adopted: int, dropped: dict[str, int]
) -> None:
    assert dying(tmp_path / "kv", point) == -signal.SIGKILL
    bench = open_tier()
    stats = bench.tier.stats()
    assert (stats.blocks, stats.adopted_blocks, stats.dropped) == (blocks, adopted, dropped)
    assert stats.bytes == len(bench.files()) * FILE_BYTES
    assert bench.load(key(1, 2, 3)[: blocks * BLOCK_BYTES]) == blocks
    drafts = list(bench.folder.rglob(".draft*"))
    assert len(drafts) == point.startswith("before the draft")
    for draft in drafts:
        os.utime(draft, (1, 1))
    bench.reopen()
    assert not list(bench.folder.rglob(".draft*"))


def test_two_processes_share_a_folder(tmp_path: Path, open_tier: Open) -> None:
    """A block that the other one removed is a miss; there is no other kind of fault."""
    folder = tmp_path / "kv"
    with writing(folder, 1, 200) as first, writing(folder, 2, 200) as second:
        for process, told in (first, second):
            assert told.poll(90)
            dropped, errors, rebuilds = told.recv()
            assert set(dropped) <= {"missing"}
            assert (errors, rebuilds) == (0, 0)
            process.join(20)
            assert process.exitcode == 0
    bench = open_tier(folder, options=DiskOptions(budget=BUDGET))
    # One may evict a parent while the other writes its child.
    assert sound(bench, holes=True) > 0


def test_what_another_process_writes_is_found_and_what_it_deletes_is_a_miss(
    open_tier: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radixa.kv.tiers.worker._TICK_SECONDS", 0.1)
    first, second = open_tier(), open_tier()
    first.write(key(1, 2, 3))
    second.until(lambda: second.lookup(key(1, 2, 3)) == 3)
    assert second.load(key(1, 2, 3)) == 3
    second.tier.delete(Target(prefix=second.names(key(1, 2))[1]))
    second.settle()
    assert first.load(key(1, 2, 3)) == 1
    assert first.write(key(1, 2, 3), start=1).blocks == 2
    second.until(lambda: second.lookup(key(1, 2, 3)) == 3)
    # Both wrote the same block: one file, one row.
    assert first.tier.stats().bytes == 3 * FILE_BYTES
