"""The tier that is off, and how fast one may write and does read."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.kv.tiers.base import BlockJob, Deleted, Loaded, Target, Tier, TierStats
from radixa.kv.tiers.disk import DiskTier
from radixa.kv.tiers.no_tier import NoTier
from radixa.kv.tiers.pace import Bandwidth, Pace


def test_the_tier_that_is_off_does_nothing_and_says_so() -> None:
    tier: Tier = NoTier()
    job = BlockJob("a", (), 0, b"", ())
    assert tier.names("a", bytes(1024)) == []
    assert tier.lookup([tier.seed("a")]) == 0
    assert not tier.write(job)
    assert not tier.worth_loading(1, 1_000_000, 1.0)
    tier.load(job)
    tier.cancel(job)
    assert tier.delete(Target()) == 0
    assert tier.finished() == [Loaded(job, 0, 0, 0.0), Deleted(Target(), 0)]
    assert tier.finished() == []
    assert tier.usage("a") == (0, 0)
    assert tier.stats() == TierStats()
    assert not tier.stats().enabled
    assert tier.flush(0.0)
    tier.close()


@pytest.mark.parametrize("made", [DiskTier, NoTier])
def test_both_tiers_have_the_methods_of_the_protocol(made: type) -> None:
    names = [name for name, _ in inspect.getmembers(Tier, inspect.isfunction) if not name.startswith("_")]
    assert len(names) == 14
    for name in names:
        assert inspect.signature(getattr(made, name)) == inspect.signature(getattr(Tier, name)), name


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.0, 3.0)), max_size=40))
def test_no_stretch_of_time_sees_more_than_its_share(writes: list[tuple[int, float]]) -> None:
    """Over any time, at most the rate, plus a quarter second's bytes, plus the one block that is written whole."""
    rate, now, pace = 100.0, 0.0, Pace(100.0, 0.0)
    done: list[tuple[float, int]] = []
    for size, idle in writes:
        now += idle
        now += pace.wait(now)
        pace.spend(size, now)
        done.append((now, size))
    for first in range(len(done)):
        for last in range(first, len(done)):
            size = sum(size for _, size in done[first:last])
            assert size <= rate * (done[last][0] - done[first][0]) + rate / 4 + 1e-6


def test_the_first_measurement_counts_whole_and_later_ones_in_part() -> None:
    speed = Bandwidth(100.0)
    assert (speed.value, speed.measured) == (100.0, None)
    speed.add(1000, 2.0, now=5.0)
    assert (speed.value, speed.measured) == (500.0, 5.0)
    speed.add(1000, 1.0, now=6.0)
    assert speed.value == pytest.approx(650.0)
