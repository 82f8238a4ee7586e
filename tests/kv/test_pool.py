"""The pool hands every slot out once, contiguously where that can be, and takes it back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.kv.base import SlotRun
from radixa.kv.pool import SlotPool
from radixa.kv.runs import Runs, count, join, split

RUNS = st.lists(st.integers(1, 5), max_size=6).map(
    lambda lengths: tuple(SlotRun(10 * at, length) for at, length in enumerate(lengths))
)


def slots(runs: Runs) -> list[int]:
    return [slot for start, length in runs for slot in range(start, start + length)]


@given(runs=RUNS, tokens=st.integers(0, 30))
def test_split_cuts_after_so_many_tokens(runs: Runs, tokens: int) -> None:
    first, rest = split(runs, tokens)
    assert slots(first) == slots(runs)[:tokens]
    assert slots(rest) == slots(runs)[tokens:]
    assert all(run.length > 0 for run in first + rest)
    assert slots(join(first, rest)) == slots(runs)
    assert len(join(first, rest)) == len(runs)
    assert count(runs) == len(slots(runs))


def test_neighbouring_runs_become_one() -> None:
    assert join((SlotRun(0, 2), SlotRun(5, 2)), (SlotRun(7, 1), SlotRun(9, 1))) == (
        SlotRun(0, 2),
        SlotRun(5, 3),
        SlotRun(9, 1),
    )
    assert join((), (SlotRun(1, 1),)) == join((SlotRun(1, 1),), ()) == (SlotRun(1, 1),)


@given(
    capacity=st.integers(1, 40),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 12), st.integers(-1, 40)), max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_against_a_set_of_slots(capacity: int, steps: list[tuple[bool, int, int, int]]) -> None:
    pool = SlotPool(capacity)
    free = set(range(capacity))
    taken: list[Runs] = []
    for take, need, reserve, which in steps:
        if take and need <= len(free):
            runs = pool.take(need, need + reserve, which if which >= 0 else None)
            got = slots(runs)
            assert len(set(got)) == len(got)
            assert free.issuperset(got)
            assert need <= len(got) <= need + reserve
            if need and which in free:
                assert got[0] == which or which - 1 in free  # a run begins there, unless `which` lies inside one
            free.difference_update(got)
            taken.append(runs)
        elif not take and taken:
            runs = taken.pop(which % len(taken))
            pool.give(runs)
            free.update(slots(runs))
        assert slots(pool.runs()) == sorted(free)
        assert pool.free == len(free)
        pool.check_integrity()


def holed(*lengths: int) -> SlotPool:
    """A pool whose free runs have these lengths, in this order, with one slot in use between each two."""
    pool = SlotPool(sum(lengths) + len(lengths))
    pool.take(pool.capacity)
    start = 0
    for length in lengths:
        pool.give((SlotRun(start, length),))
        start += length + 1
    return pool


def test_the_shortest_run_that_holds_it_all_is_taken() -> None:
    assert holed(3, 9, 5, 7).take(5) == (SlotRun(14, 5),)
    assert holed(3, 9, 5, 7).take(2, 6) == (SlotRun(20, 6),)


def test_without_one_the_longest_runs_are_taken_and_no_more_than_are_needed() -> None:
    assert holed(3, 9, 5).take(4, 20) == (SlotRun(4, 9),)
    assert holed(3, 9, 5).take(12) == (SlotRun(4, 9), SlotRun(0, 3))
    assert count(holed(3, 9, 5).take(17)) == 17


def test_it_goes_on_where_it_is_told_to() -> None:
    pool = SlotPool(20)
    first = pool.take(4)
    pool.take(2)
    pool.give(first)
    assert pool.take(3, after=6) == (SlotRun(6, 3),)
    assert pool.take(3, after=9) == (SlotRun(9, 3),)
    assert pool.take(3) == (SlotRun(0, 3),)
    assert pool.take(3, after=19) == (SlotRun(12, 3),)  # slot 19 is free, but inside a run that begins before it


def test_what_cannot_be_says_so() -> None:
    with pytest.raises(ValueError, match="capacity of 0"):
        SlotPool(0)
    pool = SlotPool(10)
    runs = pool.take(4)
    with pytest.raises(ValueError, match="7 slots wanted of a pool with 6 of 10 free"):
        pool.take(7)
    pool.give(runs)
    for wrong in (SlotRun(0, 4), SlotRun(8, 2), SlotRun(9, 2), SlotRun(-1, 1), SlotRun(3, 0)):
        with pytest.raises(ValueError, match="no run that was handed out"):
            pool.give((wrong,))
    pool.check_integrity()


@pytest.mark.parametrize("harm", ["free", "_starts", "_by_length", "_lengths"])
def test_integrity_notices(harm: str) -> None:
    pool = holed(3, 4)
    if harm == "free":
        pool.free += 1
    elif harm == "_starts":
        pool._starts[5] = 1
    elif harm == "_by_length":
        pool._by_length.pop()
    else:
        pool._lengths[2] = 2
    with pytest.raises(AssertionError):
        pool.check_integrity()
