"""The minute against a plain list of everything that came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.gateway.limits.window import Window, add, correct, empty_in, forget, wait

steps = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 5)), max_size=60)
"""Milliseconds since the last request, and how much it wants."""


def admit(window: Window, now: int, amount: int, limit: int) -> bool:
    forget(window, now)
    if wait(window, now, amount, limit) != 0:
        return False
    add(window, now, amount)
    return True


@given(steps, st.integers(1, 20), st.integers(0, 10**13))
def test_no_minute_has_more_than_the_limit(steps: list[tuple[int, int]], limit: int, start: int) -> None:
    window, now, admitted = Window(), start, []
    for step, amount in steps:
        now += step
        if admit(window, now, amount, limit):
            admitted.append((now, amount))
    for begin, _ in admitted:
        assert sum(amount for at, amount in admitted if begin <= at <= begin + 60_000) <= limit


@given(steps, st.integers(1, 20), st.integers(0, 10**13))
def test_what_is_over_a_minute_and_a_second_old_is_in_nobodys_way(
    steps: list[tuple[int, int]], limit: int, start: int
) -> None:
    window, now, admitted = Window(), start, []
    for step, amount in steps:
        now += step
        lately = sum(found for at, found in admitted if at > now - 61_000)
        if lately + amount <= limit:
            assert admit(window, now, amount, limit)
            admitted.append((now, amount))
        elif admit(window, now, amount, limit):
            admitted.append((now, amount))


@given(steps, st.integers(1, 20), st.integers(0, 10**13), st.integers(1, 5))
def test_the_wait_is_exact(steps: list[tuple[int, int]], limit: int, start: int, amount: int) -> None:
    window, now = Window(), start
    for step, found in steps:
        now += step
        admit(window, now, found, limit)
    forget(window, now)
    ms = wait(window, now, amount, limit)
    if amount > limit:
        assert ms is None
    elif ms:
        forget(window, now + ms - 1)
        assert wait(window, now + ms - 1, amount, limit) == 1
        forget(window, now + ms)
        assert wait(window, now + ms, amount, limit) == 0


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 90_000), st.integers(1, 5)), max_size=60),
    st.integers(1, 20),
)
def test_a_clock_put_back_lets_nothing_through(steps: list[tuple[int, int, int]], limit: int) -> None:
    """The limit holds in true time, and what counts still goes within a minute and a second of the clock's."""
    window, true, behind, admitted = Window(), 10**9, 0, []
    for step, back, amount in steps:
        true += step
        behind += back if back > 60_000 else 0
        if admit(window, true - behind, amount, limit):
            admitted.append((true, amount))
        assert window.total == sum(window.buckets.values()) <= limit
        assert empty_in(window, true - behind) <= 61_000
    for begin, _ in admitted:
        assert sum(amount for at, amount in admitted if begin <= at <= begin + 60_000) <= limit


@given(steps, st.data())
def test_corrections_keep_the_sum(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    window, now = Window(), 0
    for step, amount in steps:
        now += step
        forget(window, now)
        add(window, now, amount)
        if window.buckets:
            second = data.draw(st.sampled_from([*window.buckets, now // 1000 - 100]))
            correct(window, second, data.draw(st.integers(-10, 10)))
        assert window.total == sum(window.buckets.values())
        assert all(counted > 0 for counted in window.buckets.values())
        assert list(window.buckets) == sorted(window.buckets)
        assert len(window.buckets) <= 61
