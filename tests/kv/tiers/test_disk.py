"""The disk tier on a disk that behaves, one behaviour at a time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from radixa.kv.base import SlotRun
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import BLOCK_TOKENS, Deleted, Fingerprint, Loaded, Target, Written
from radixa.kv.tiers.disk import DiskOptions, DiskTier
from tests.kv.tiers.support import CAPACITY, FILE_BYTES, MODEL, SECRET, Bench, content, key, slots

Open = Callable[..., Bench]


def scattered(blocks: int, seed: int) -> tuple[SlotRun, ...]:
    """Slots for so many blocks in runs of any length, in any order."""
    generator = random.Random(seed)
    runs, at, left = [], 0, blocks * BLOCK_TOKENS
    while left:
        length = min(left, generator.randint(1, 90))
        runs.append(SlotRun(at, length))
        at += length + generator.randint(0, 3)
        left -= length
    assert at <= CAPACITY
    generator.shuffle(runs)
    return tuple(runs)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_what_is_written_is_loaded_bit_for_bit(open_tier: Open, dtype: str) -> None:
    bench = open_tier(model=replace(MODEL, dtype=dtype))
    path = key(*range(9))
    assert bench.lookup(path) == 0
    written = bench.write(path, runs=scattered(9, 1))
    assert written.blocks == 9
    assert written.bytes == 9 * (512 + bench.model.payload_bytes)
    assert bench.lookup(path) == 9
    for seed in range(3):
        assert bench.load(path, runs=scattered(9, seed)) == 9
    bench.reopen()
    assert bench.lookup(path) == 9
    assert bench.load(path, start=4, runs=scattered(5, 7)) == 5
    stats = bench.tier.stats()
    assert stats.enabled
    assert stats.disabled is None
    assert (stats.blocks, stats.bytes, stats.loaded_blocks) == (9, written.bytes, 5)
    assert stats.read_bandwidth > 0
    assert not stats.dropped


def test_every_bit_pattern_comes_back(open_tier: Open) -> None:
    """NaNs with payloads, infinities and negative zeros are bits like any others."""
    bench = open_tier()
    bits = torch.randint(-(2**31), 2**31, bench.storage.k.shape, dtype=torch.int64).to(torch.int32)
    bench.storage.k.view(torch.int32).copy_(bits)
    bench.storage.v.view(torch.int32).copy_(bits.flip(0))
    job = bench.job(key(1, 2))
    assert bench.tier.write(job)
    bench.settle()
    other = bench.job(key(1, 2), runs=(SlotRun(500, 128),))
    bench.tier.load(other)
    bench.settle()
    assert torch.equal(bench.storage.k.view(torch.int32)[:, :, 500:628], bits[:, :, :128])
    assert torch.equal(bench.storage.v.view(torch.int32)[:, :, 500:628], bits.flip(0)[:, :, :128])


def test_files_and_folders_are_their_users_alone(bench: Bench) -> None:
    bench.write(key(1, 2, 3))
    assert bench.folder.stat().st_mode & 0o777 == 0o700
    for path in bench.folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert len(bench.files()) == 3
    assert "a" not in {part for path in bench.files() for part in path.parts[-3:]}


def test_a_lookup_counts_from_where_it_starts_to_the_first_that_is_missing(bench: Bench) -> None:
    bench.write(key(1, 2, 3))
    names = bench.names(key(1, 2, 3, 4))
    assert [bench.tier.lookup(names, start) for start in range(6)] == [3, 2, 1, 0, 0, 0]
    assert bench.lookup(key(1, 2, 9)) == 2
    assert bench.lookup(key(2, 3)) == 0
    assert bench.lookup(key(1, 2, 3), "b") == 0


def test_blocks_that_are_there_are_not_written_again(bench: Bench) -> None:
    bench.write(key(1, 2))
    written = bench.write(key(1, 2, 3))
    assert (written.blocks, written.bytes) == (3, FILE_BYTES)
    again = bench.write(key(1, 2, 3), start=3)
    assert (again.blocks, again.bytes) == (0, 0)
    assert bench.tier.stats().written_blocks == 3


def test_a_block_whose_parent_is_gone_is_not_written(bench: Bench) -> None:
    written = bench.write(key(1, 2, 3), start=1)
    assert written.blocks == 0
    assert bench.tier.stats().orphaned_blocks == 2
    assert not bench.files()


def test_results_wake_the_loop(bench: Bench) -> None:
    bench.write(key(1))
    assert bench.wakes == 1
    bench.load(key(1))
    assert bench.wakes == 2
    assert bench.tier.finished() == []


def test_the_budget_holds_and_the_least_recently_used_go_first_leaf_by_leaf(open_tier: Open) -> None:
    now = [1000.0]
    options = DiskOptions(budget=6 * FILE_BYTES, write_bandwidth=1e12)
    bench = open_tier(options=options, clock=lambda: now[0])
    for path in (key(1, 2, 3), key(1, 2, 4), key(7, 8)):
        now[0] += 1
        bench.write(path)
    assert bench.tier.stats().bytes == 6 * FILE_BYTES
    now[0] += 1
    bench.write(key(9))
    # The oldest is path 1, 2, 3, and only its last block is a leaf.
    assert [bench.lookup(path) for path in (key(1, 2, 3), key(1, 2, 4), key(7, 8), key(9))] == [2, 3, 2, 1]
    now[0] += 1
    assert bench.load(key(1, 2, 4)) == 3
    now[0] += 1
    bench.write(key(10))
    # Loading made that path young, so the next to go is the end of the other one.
    assert [bench.lookup(path) for path in (key(1, 2, 4), key(7, 8), key(9), key(10))] == [3, 1, 1, 1]
    stats = bench.tier.stats()
    assert stats.bytes == len(bench.files()) * FILE_BYTES == 6 * FILE_BYTES
    assert stats.evicted_blocks == 2


def test_marking_as_used_keeps_a_path(open_tier: Open) -> None:
    now = [1000.0]
    bench = open_tier(options=DiskOptions(budget=4 * FILE_BYTES, write_bandwidth=1e12), clock=lambda: now[0])
    for path in (key(1, 2), key(3, 4)):
        now[0] += 1
        bench.write(path)
    now[0] += 1
    bench.write(key(1, 2), start=2)
    bench.write(key(5))
    assert [bench.lookup(path) for path in (key(1, 2), key(3, 4), key(5))] == [2, 1, 1]


def test_a_path_longer_than_the_budget_is_refused_and_one_that_grows_keeps_its_beginning(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(budget=4 * FILE_BYTES, write_bandwidth=1e12))
    assert not bench.tier.write(bench.job(key(*range(5))))
    assert bench.tier.stats().refused_jobs == 1
    bench.write(key(*range(4)))
    assert bench.write(key(*range(5)), start=4).blocks == 0
    assert bench.lookup(key(*range(5))) == 4


def test_what_has_not_expired_goes_last_but_not_beyond_half_of_the_budget(open_tier: Open) -> None:
    now = [1000.0]
    bench = open_tier(options=DiskOptions(budget=6 * FILE_BYTES, write_bandwidth=1e12), clock=lambda: now[0])

    def kept(*paths: int) -> list[int]:
        return [path for path in paths if bench.lookup(key(path))]

    for path in (1, 2):
        now[0] += 1
        bench.write(key(path), expires=2000.0)
    for path in range(3, 10):
        now[0] += 1
        bench.write(key(path))
    assert kept(*range(1, 10)) == [1, 2, 6, 7, 8, 9]
    for path in (10, 11):
        now[0] += 1
        bench.write(key(path), expires=2000.0)
    # Four of six are retained, which is more than half: the oldest of those yields.
    now[0] += 1
    bench.write(key(12))
    assert kept(*range(1, 13)) == [2, 8, 9, 10, 11, 12]
    now[0] = 3000.0
    for path in (13, 14, 15):
        now[0] += 1
        bench.write(key(path))
    assert kept(*range(1, 16)) == [10, 11, 12, 13, 14, 15]


def test_a_smaller_budget_is_kept_from_the_next_start_on(open_tier: Open) -> None:
    bench = open_tier()
    bench.write(key(*range(8)))
    bench.options = DiskOptions(budget=3 * FILE_BYTES)
    bench.reopen()
    assert bench.lookup(key(*range(8))) == 3
    assert len(bench.files()) == 3


def test_models_share_the_budget_and_never_a_block(open_tier: Open) -> None:
    options = DiskOptions(budget=6 * FILE_BYTES, write_bandwidth=1e12)
    first = open_tier(options=options)
    first.write(key(1, 2, 3, 4))
    second = open_tier(model=replace(MODEL, model="other"), options=options)
    assert second.lookup(key(1, 2, 3, 4)) == 0
    second.write(key(1, 2, 3, 4))
    assert len(second.files()) == 6
    assert second.lookup(key(1, 2, 3, 4)) == 4
    first.reopen()
    assert first.lookup(key(1, 2, 3, 4)) == 2


def family(bench: Bench) -> None:
    """Paths of two accounts, a salted namespace and two sessions."""
    bench.write(key(1, 2), "a", session="s")
    bench.write(key(1, 2, 3), "a", session="s")
    bench.write(key(1, 2, 4), "a", session="t")
    bench.write(key(1, 5), "a/salt", session="s")
    bench.write(key(1, 6), "b", session="s")


def kept(bench: Bench) -> dict[str, int]:
    """Blocks found on each path of `family`."""
    return {
        "a 1 2 3": bench.lookup(key(1, 2, 3)),
        "a 1 2 4": bench.lookup(key(1, 2, 4)),
        "a/salt 1 5": bench.lookup(key(1, 5), "a/salt"),
        "b 1 6": bench.lookup(key(1, 6), "b"),
    }


@pytest.mark.parametrize(
    ("target", "count", "left"),
    [
        (Target(), 8, (0, 0, 0, 0)),
        (Target(namespace="a"), 6, (0, 0, 0, 2)),
        (Target(namespace="a/salt"), 2, (3, 3, 0, 2)),
        (Target(namespace="c"), 0, (3, 3, 2, 2)),
        # Session t used blocks 1 and 2 as well, so they are not session s's alone.
        (Target(namespace="a", session="s"), 3, (2, 3, 0, 2)),
        (Target(namespace="a", session="t"), 1, (3, 2, 2, 2)),
        (Target(session="s"), 5, (2, 3, 0, 0)),
        (Target(namespace="b", session="t"), 0, (3, 3, 2, 2)),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_deletion_takes_what_it_names_and_what_goes_on_from_there(
    bench: Bench, target: Target, count: int, left: tuple[int, ...], restart: bool
) -> None:
    family(bench)
    bench.settle()
    if restart:
        bench.reopen()
    assert bench.tier.delete(target) == count
    assert tuple(kept(bench).values()) == left
    bench.settle()
    assert bench.tier.finished() == [Deleted(target, count)]
    assert len(bench.files()) == 8 - count
    assert bench.tier.stats().bytes == (8 - count) * FILE_BYTES
    bench.reopen()
    assert tuple(kept(bench).values()) == left


def test_deletion_by_prefix(bench: Bench) -> None:
    family(bench)
    assert bench.tier.delete(Target(prefix=bench.names(key(1, 2))[-1])) == 3
    assert tuple(kept(bench).values()) == (1, 1, 2, 2)
    assert bench.tier.delete(Target(prefix=bench.tier.seed("a/salt"))) == 2
    assert tuple(kept(bench).values()) == (1, 1, 0, 2)
    bench.settle()
    assert len(bench.files()) == 3


def test_a_prefix_goes_with_blocks_that_are_deeper_than_the_index_knows_of_the_model(open_tier: Open) -> None:
    """Every model's blocks of an account go, whichever engine is asked."""
    first, second = open_tier(), open_tier(model=replace(MODEL, model="other"))
    first.write(key(1, 2))
    second.write(key(1, 2))
    assert first.tier.delete(Target(namespace="a")) == 2
    first.settle()
    assert first.tier.finished() == [Deleted(Target(namespace="a"), 4)]
    assert not first.files()
    assert second.load(key(1, 2)) == 0


@pytest.mark.parametrize(
    ("target", "left"),
    [
        (Target(), [0, 0, 0]),
        (Target(namespace="a"), [0, 0, 2]),
        (Target(session="s"), [0, 0, 2]),
        (Target(session="t"), [4, 2, 0]),
    ],
)
def test_a_deletion_holds_for_writes_that_wait(open_tier: Open, target: Target, left: list[int]) -> None:
    """At this bandwidth a block takes 80 ms, so the jobs wait when the deletion comes."""
    bench = open_tier(options=DiskOptions(write_bandwidth=100_000))
    jobs = [
        bench.job(key(1, 2, 3, 4), session="s"),
        bench.job(key(1, 2, 5), session="t", start=2),
        bench.job(key(7, 8), "b", session="t"),
    ]
    for job in jobs:
        bench.fill(job)
        assert bench.tier.write(job)
    bench.until(lambda: bench.tier.stats().written_blocks >= 2)
    bench.tier.delete(target)
    bench.settle()
    assert [bench.lookup(key(1, 2, 3, 4)), bench.lookup(key(1, 2)), bench.lookup(key(7, 8), "b")] == left
    results = bench.tier.finished()
    assert sum(isinstance(result, Written) for result in results) == 3
    bench.reopen()
    assert [bench.lookup(key(1, 2, 3, 4)), bench.lookup(key(1, 2)), bench.lookup(key(7, 8), "b")] == left


def test_deleting_a_prefix_holds_for_jobs_that_go_on_from_it(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(write_bandwidth=100_000))
    first, second = bench.job(key(1, 2, 3, 4)), bench.job(key(1, 2, 3, 4, 5), start=4)
    for job in (first, second):
        assert bench.tier.write(job)
    bench.tier.delete(Target(prefix=first.names[2]))
    bench.settle()
    assert bench.lookup(key(1, 2, 3, 4, 5)) == 2
    assert len(bench.files()) == 2


def test_what_is_written_after_a_deletion_stays(bench: Bench) -> None:
    bench.write(key(1, 2))
    bench.tier.delete(Target())
    bench.write(key(1, 2))
    bench.settle()
    assert bench.lookup(key(1, 2)) == 2


def test_usage_by_namespace(bench: Bench) -> None:
    family(bench)
    names = ["a", "a/salt", "b", "a/other", "c"]
    assert [bench.tier.usage(name) for name in names] == [
        (6, 6 * FILE_BYTES),
        (2, 2 * FILE_BYTES),
        (2, 2 * FILE_BYTES),
        (0, 0),
        (0, 0),
    ]
    bench.tier.delete(Target(namespace="a"))
    assert [bench.tier.usage(name)[0] for name in names] == [0, 0, 2, 0, 0]


def test_writing_keeps_to_its_bandwidth_and_loads_go_before_it(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(write_bandwidth=10 * FILE_BYTES))
    bench.write(key(1, 2))
    job = bench.job(key(3, *range(10, 20)))
    begun = time.monotonic()
    assert bench.tier.write(job)
    assert bench.load(key(1, 2)) == 2
    assert time.monotonic() - begun < 0.5
    result = bench.result(job)
    assert isinstance(result, Written)
    assert result.blocks == 11
    # A quarter second's bytes may go at once, and the last block is paid for after it is written.
    assert 0.6 < time.monotonic() - begun < 5
    assert result.seconds < 0.5


def test_flushing_does_not_wait_for_the_bandwidth(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(write_bandwidth=1000))
    assert bench.tier.write(bench.job(key(*range(20))))
    begun = time.monotonic()
    assert not bench.tier.flush(0.0)
    assert bench.tier.flush(20)
    assert time.monotonic() - begun < 10
    assert bench.lookup(key(*range(20))) == 20


def test_what_waits_is_bounded(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(write_bandwidth=1000, queue=3 * FILE_BYTES))
    assert bench.tier.write(bench.job(key(1, 2, 3, 4)))  # alone, whatever its size
    assert not bench.tier.write(bench.job(key(5)))
    stats = bench.tier.stats()
    assert (stats.refused_jobs, stats.queued) == (1, 4 * FILE_BYTES)
    bench.settle()
    assert bench.tier.stats().queued == 0
    assert bench.tier.write(bench.job(key(5)))


def test_cancelled_jobs_give_their_slots_back(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(write_bandwidth=1000))
    first, second = bench.job(key(*range(8))), bench.job(key(20, 21))
    for job in (first, second):
        bench.fill(job)
        assert bench.tier.write(job)
    bench.until(lambda: bench.tier.stats().written_blocks > 0)
    bench.tier.cancel(second)
    bench.tier.cancel(first)
    results = [bench.result(second), bench.result(first)]
    assert isinstance(results[1], Written)
    assert results[0] == Written(second, 0, 0, 0.0)
    assert 0 < results[1].blocks < 8
    assert bench.lookup(key(*range(8))) == results[1].blocks
    bench.tier.cancel(first)  # over already
    assert bench.tier.finished() == []


def test_a_tier_that_is_closed_reports_every_job(open_tier: Open) -> None:
    bench = open_tier(options=DiskOptions(write_bandwidth=1000))
    jobs = [bench.job(key(*range(8))), bench.job(key(20, 21))]
    for job in jobs:
        assert bench.tier.write(job)
    bench.tier.close()
    results = bench.tier.finished()
    assert {result.job for result in results if isinstance(result, Written)} == set(jobs)
    assert not bench.tier.write(jobs[0])
    bench.tier.load(jobs[1])
    bench.tier.delete(Target())
    assert bench.tier.finished() == [Loaded(jobs[1], 0, 0, 0.0), Deleted(Target(), 0)]
    assert bench.lookup(key(*range(8))) == 0
    assert not bench.tier.flush(5) or not bench.tier.stats().queued
    bench.tier.close()


def test_loading_is_worth_it_where_the_disk_is_faster_than_the_model(bench: Bench) -> None:
    bench.write(key(1, 2))
    bench.load(key(1, 2))
    speed = bench.tier.stats().read_bandwidth
    size, tokens = 1_000_000, 1000
    even = tokens / (size / speed)
    assert bench.tier.worth_loading(size, tokens, even * 0.99)
    assert not bench.tier.worth_loading(size, tokens, even * 1.01)


def test_the_disk_is_measured_before_the_first_load(open_tier: Open) -> None:
    bench = open_tier()
    assumed = bench.tier.stats().read_bandwidth
    bench.write(key(1))
    bench.reopen()
    bench.until(lambda: bench.tier.stats().read_bandwidth != assumed)


def test_the_storage_must_be_the_fingerprints(tmp_path: Path) -> None:
    storage = KVStorage.allocate(2, 2, 8, 64, torch.bfloat16)
    with pytest.raises(ValueError, match="bfloat16"):
        DiskTier(tmp_path, SECRET, MODEL, storage, lambda: None)
    with pytest.raises(ValueError, match="expected the CPU"):
        DiskTier(tmp_path, SECRET, MODEL, KVStorage.allocate(2, 2, 8, 64, torch.float32, "meta"), lambda: None)


def test_opening_a_full_folder_takes_well_under_a_second(tmp_path: Path) -> None:
    """1,400 blocks, as many as SmolLM2 has in 2 GiB. Their size does not matter: opening reads the index alone."""
    model = Fingerprint("tiny", "bfloat16", 1, 1, 2)
    bench = Bench(tmp_path / "kv", model)
    path = key(*range(28))
    for number in range(50):
        bench.write(path, f"account {number}")
    bench.settle()
    bench.tier.close()
    begun = time.monotonic()
    bench.__post_init__()
    seconds = time.monotonic() - begun
    found = sum(bench.lookup(path, f"account {number}") for number in range(50))
    bench.settle()
    settled = time.monotonic() - begun
    bench.tier.close()
    assert found == 1400
    assert seconds < 0.5
    assert settled < 2


def test_the_bench_sees_a_wrong_slot(bench: Bench) -> None:
    """The tests above rest on it."""
    written = bench.write(key(1))
    bench.storage.k[0, 0, slots(written.job.runs)[5]] += 1
    assert not torch.equal(bench.storage.k[:, :, :64], content(written.job.names[0])[0])
