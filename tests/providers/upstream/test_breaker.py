from __future__ import annotations

from radixa.providers.upstream.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(failures=3, cool_down_s=5.0, longest_s=15.0, clock=clock)
    for _ in range(3):
        assert breaker.enter()
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(failures=3, clock=Clock())
    for failed in [True, True, False, True, True]:
        assert breaker.enter()
        if failed:
            breaker.failed()
        else:
            breaker.succeeded()
    assert breaker.enter()
    breaker.failed()
    assert not breaker.enter()


def test_one_try_goes_through_after_the_cool_down_and_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    assert breaker.left == 5.0
    clock.now += 4.9
    assert not breaker.enter()
    clock.now += 0.1
    assert breaker.left == 0.0
    assert breaker.enter()
    assert not breaker.enter()
    breaker.succeeded()
    assert breaker.enter()
    assert breaker.enter()


def test_each_try_that_fails_makes_the_next_cool_down_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    for left in [10.0, 15.0, 15.0]:
        clock.now += breaker.left
        assert breaker.enter()
        breaker.failed()
        assert breaker.left == left
    clock.now += breaker.left
    assert breaker.enter()
    breaker.succeeded()
    for _ in range(3):
        breaker.failed()
    assert breaker.left == 5.0


def test_requests_from_before_it_opened_do_not_make_it_longer() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1
    breaker.failed()
    assert breaker.left == 4.0


def test_a_try_that_never_ends_does_not_hold_up_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 5
    assert breaker.enter()
    clock.now += 5
    assert breaker.enter()
