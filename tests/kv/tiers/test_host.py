"""The tier in the host's memory: what it holds comes back bit for bit, the oldest goes first, and deletions hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radixa.core.base import SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.kv.base import SlotRun
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import Deleted, Fingerprint, Target
from radixa.kv.tiers.host import HostTier
from tests.engine.content import content_loop, drain, expected
from tests.kv.tiers.support import MODEL, Bench, key


class HostBench(Bench):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.tier.close()
        self.tier: Any = HostTier(self.storage, MODEL, 4 * MODEL.payload_bytes + 1, self._wake)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[HostBench]:
    made = HostBench(tmp_path / "kv")
    yield made
    made.tier.close()


def test_what_is_written_is_loaded_bit_for_bit(bench: HostBench) -> None:
    path = key(1, 2, 3)
    assert bench.write(path, runs=(SlotRun(300, 100), SlotRun(7, 92))).blocks == 3
    assert bench.lookup(path) == 3
    assert bench.load(path, runs=(SlotRun(900, 70), SlotRun(500, 122))) == 3
    assert bench.load(key(1, 2, 3, 4)) == 3
    assert bench.wakes == 3
    assert bench.lookup(path, "b") == 0


def test_what_is_there_is_not_written_again(bench: HostBench) -> None:
    bench.write(key(1, 2))
    result = bench.write(key(1, 2, 3))
    assert (result.blocks, result.bytes) == (3, MODEL.payload_bytes)
    # A job whose first blocks are not there could not be found, and is not taken.
    assert not bench.tier.write(bench.job(key(9, 2, 3), start=1))
    assert bench.tier.stats().refused_jobs == 1


def test_the_least_recently_used_leaf_goes_first(bench: HostBench) -> None:
    bench.write(key(1, 2))
    bench.write(key(3))
    bench.load(key(1, 2))
    bench.write(key(4, 5))
    assert [bench.lookup(path) for path in (key(1, 2), key(3), key(4, 5))] == [2, 0, 2]
    bench.write(key(6))
    # Never a block that others hang on.
    assert [bench.lookup(path) for path in (key(1, 2), key(4, 5), key(6))] == [1, 2, 1]
    # A path longer than the budget keeps its beginning.
    assert bench.write(key(*range(10, 16))).blocks == 4
    assert bench.tier.stats().blocks == 4


def test_deletions(bench: HostBench) -> None:
    bench.write(key(1), "a")
    bench.write(key(1), "a/salt", session="s")
    bench.write(key(1), "b")
    assert bench.tier.usage("a") == (2, 2 * MODEL.payload_bytes)
    assert bench.tier.delete(Target("a", "s")) == 1
    assert bench.tier.delete(Target("a")) == 1
    assert bench.tier.delete(Target(prefix=bench.names(key(1), "b")[0])) == 1
    assert [type(result) for result in bench.tier.finished()] == [Deleted] * 3
    assert bench.tier.stats().blocks == 0
    assert bench.tier.usage("a") == (0, 0)


def test_a_budget_without_room_is_refused(bench: HostBench) -> None:
    with pytest.raises(ValueError, match="hold no block"):
        HostTier(bench.storage, MODEL, MODEL.payload_bytes - 1, lambda: None)


def test_answers_are_the_same_when_their_prefix_comes_back_from_the_host() -> None:
    made: list[HostTier] = []

    def tier(storage: KVStorage) -> HostTier:
        made.append(HostTier(storage, Fingerprint("content", "float32", 1, 1, 1), 1 << 20, lambda: None))
        return made[0]

    loop = content_loop(600, step_tokens=512, tier=tier)
    prompts = [[number + i % 50 for i in range(300)] for number in range(4)]
    told = []
    for turn in range(2):
        for number, prompt in enumerate(prompts):
            name = f"{turn}-{number}"
            loop.submit(EngineRequest(name, pack(prompt), sampling=SamplingParams(max_tokens=5, temperature=0)))
            # What is held until its blocks are there keeps nobody busy.
            assert made[0].flush(5)
            loop.scheduler.take_freed()
            done = drain(loop)
            assert done.tokens[name] == expected(prompt, 5)
            assert made[0].flush(5)
            usage = done.last[name].usage
            assert usage is not None
            told.append(usage.host_tokens)
            assert usage.disk_tokens == 0
    stats = loop.stats()
    assert stats.host_tokens == sum(told) > 3 * 200
    assert stats.disk_tokens == 0
    assert (stats.host.enabled, stats.disk.enabled) == (True, False)
    # What a prompt would find says so too: the first of them has been evicted by now.
    found = loop.explain(pack([*prompts[0], 1]), "", read=True)
    assert (found.host_tokens > 0, found.disk_tokens) == (True, 0)
    assert loop.scheduler.tiering.clear(None, None, None).tokens_below == (stats.host.blocks * 64, 0)
    loop.cache.check_integrity()
    loop.close()
