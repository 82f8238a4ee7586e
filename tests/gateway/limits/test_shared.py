"""Several processes over one PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from msgspec import DecodeError
from sqlalchemy import text

from radixa.core.errors import RateLimited, StoreUnavailable
from radixa.gateway.limits import rows
from radixa.gateway.limits.base import Reservation, bounds_of
from radixa.gateway.limits.opening import limiter_for
from radixa.gateway.limits.shared import SharedLimiter
from radixa.store.base import Limits
from radixa.store.sql import SqlStore
from tests.gateway.limits.conftest import Ledger, wanted
from tests.gateway.limits.process import LAPSE_S, REQUEST


@contextmanager
def process(url: str, count: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.gateway.limits.process", url, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as found:
        try:
            assert found.stdout is not None
            assert found.stdout.readline() == "ready\n"
            yield found
        finally:
            with suppress(BrokenPipeError, ValueError):
                found.communicate("\n\n", timeout=20)


def go(found: subprocess.Popen[str]) -> None:
    assert found.stdin is not None
    found.stdin.write("\n")
    found.stdin.flush()


def got(found: subprocess.Popen[str]) -> int:
    assert found.stdout is not None
    return int(found.stdout.readline())


@contextmanager
def without_scopes(store: SqlStore) -> Iterator[None]:
    """The limiter's table is not there meanwhile."""
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE limit_scopes RENAME TO limit_gone"))
    try:
        yield
    finally:
        with store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE limit_gone RENAME TO limit_scopes"))


async def test_two_processes_admit_exactly_the_limit(postgres_store: SqlStore, postgres_migrated: str) -> None:
    with process(postgres_migrated, 32) as one, process(postgres_migrated, 32) as two:
        for found in (one, two):
            go(found)
        assert got(one) + got(two) == 10


async def test_what_a_killed_process_held_lapses(
    postgres_store: SqlStore, postgres_migrated: str, ledger: Ledger
) -> None:
    limiter = SharedLimiter(postgres_store.engine, ledger.spending, LAPSE_S)
    await limiter.start()
    bounds = bounds_of(REQUEST.identity, REQUEST.model, REQUEST.limits)
    with process(postgres_migrated, 7) as killed:
        go(killed)
        assert got(killed) == 7
        _, scopes = await limiter.look(bounds)
        assert [sum(scope.running.values()) for scope in scopes] == [7, 0, 7]
        assert (await limiter.spent("acct_1")).held == 70
        killed.kill()
        killed.wait()
    until = time.monotonic() + 20
    while (await limiter.spent("acct_1")).held:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    _, scopes = await limiter.look(bounds)
    assert [sum(scope.running.values()) for scope in scopes] == [0, 0, 0]
    # Its requests came, and count their minute.
    assert scopes[0].requests.total == 7
    found = await asyncio.gather(*(limiter.reserve(REQUEST) for _ in range(9)), return_exceptions=True)
    assert sum(isinstance(one, Reservation) for one in found) == 3
    await limiter.close()


async def test_leaving_frees_at_once(postgres_store: SqlStore, ledger: Ledger) -> None:
    request = wanted(concurrency=1)
    one, two = (SharedLimiter(postgres_store.engine, ledger.spending) for _ in range(2))
    await one.start()
    await two.start()
    await one.reserve(request)
    with pytest.raises(RateLimited):
        await two.reserve(request)
    await one.close()
    await two.reserve(request)
    await two.close()


async def test_scopes_in_any_order_do_not_deadlock(postgres_store: SqlStore, ledger: Ledger) -> None:
    """litellm#6895: deadlocks lost what was spent. Here every batch locks in one order, new rows among them."""
    limiters = [SharedLimiter(postgres_store.engine, ledger.spending) for _ in range(4)]
    for limiter in limiters:
        await limiter.start()

    async def use(number: int) -> None:
        limiter = limiters[number % 4]
        account, key, model = f"acct_{number % 5}", f"key_{number % 7}", f"model-{number % 3}"
        limits = Limits(rpm=10_000)
        request = wanted(
            account=account, key=key, model=model, rpm=10_000, key_limits=limits, account_limits=limits,
            cost=3, allowance=10**9,
        )  # fmt: skip
        (await limiter.reserve(request)).settle(0, 2)

    await asyncio.gather(*(use(number) for number in range(400)))
    for limiter in limiters:
        await limiter.close()
    with postgres_store.engine.connect() as connection:
        scopes = rows.read(connection, [f"a:acct_{number}" for number in range(5)], lock=False)
    assert sum(scope.spent.total for scope in scopes.values() if scope.spent is not None) == 800
    assert sum(scope.requests.total for scope in scopes.values()) == 400
    assert all(scope.running == {} for scope in scopes.values())


async def test_what_a_process_spent_before_it_died_comes_from_the_ledger(
    postgres_store: SqlStore, ledger: Ledger
) -> None:
    request = wanted(cost=40, allowance=100)
    one = SharedLimiter(postgres_store.engine, ledger.spending)
    await one.start()
    (await one.reserve(request)).settle(0, 40)
    await one.close()
    # A row of a killed process, replayed: it had been answered and was not settled.
    ledger.accounts["acct_1"] = 80
    two = SharedLimiter(postgres_store.engine, ledger.spending)
    await two.start()
    (await two.reserve(wanted(cost=20, allowance=100))).settle(0, 10)
    await two.close()
    # The ledger may be behind; what is counted is never less.
    ledger.accounts["acct_1"] = 85
    three = SharedLimiter(postgres_store.engine, ledger.spending)
    await three.start()
    assert (await three.spent("acct_1")).total == 90
    await three.close()


async def test_a_client_that_leaves_while_it_waits_is_refunded(shared: SharedLimiter) -> None:
    request = wanted(rpm=5, concurrency=5)
    waiting = asyncio.ensure_future(shared.reserve(request))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    while shared._working is not None and not shared._working.done():
        await shared._working
    _, [model, *_] = await shared.look(bounds_of(request.identity, request.model, request.limits))
    assert (model.requests.total, model.running) == (0, {})


async def test_counters_that_were_deleted_are_made_again(shared: SharedLimiter, postgres_store: SqlStore) -> None:
    request = wanted(rpm=5)
    (await shared.reserve(request)).settle(0, 0)
    assert shared._working is not None
    await shared._working
    rows.bury(postgres_store.engine, 2**60)
    with postgres_store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM limit_scopes")).scalar() == 0
    await shared.reserve(request)


async def test_a_database_that_is_gone_admits_nobody_and_loses_nothing(
    shared: SharedLimiter, postgres_store: SqlStore
) -> None:
    request = wanted(concurrency=1, cost=5, allowance=100)
    held = await shared.reserve(request)
    with without_scopes(postgres_store):
        held.settle(0, 5)
        with pytest.raises(StoreUnavailable):
            await shared.reserve(request)
    assert shared._working is not None
    await shared._working
    assert (await shared.spent("acct_1")).total == 5
    await shared.reserve(request)


async def test_a_batch_that_fails_loses_no_end_of_a_request(shared: SharedLimiter, postgres_store: SqlStore) -> None:
    request, other = wanted(concurrency=1), wanted(account="acct_2", model="other", concurrency=1)
    held, broken = await shared.reserve(request), await shared.reserve(other)
    with postgres_store.engine.begin() as connection:
        connection.execute(text("UPDATE limit_scopes SET state = 'x' WHERE scope = 'm:acct_2:other'"))
    held.settle(1, 0)
    broken.settle(1, 0)
    # All three are one batch, which the scope that cannot be read spoils.
    with pytest.raises(DecodeError):
        await shared.reserve(other)
    await shared.reserve(request)


async def test_what_nothing_limits_costs_no_database(shared: SharedLimiter, postgres_store: SqlStore) -> None:
    with without_scopes(postgres_store):
        reservation = await shared.reserve(wanted(cost=5))
        reservation.settle(1, 5)
        assert reservation.headers() == ()


def test_a_database_server_says_which_limiter(postgres_store: SqlStore, ledger: Ledger) -> None:
    assert isinstance(limiter_for(postgres_store, ledger.spending), SharedLimiter)


async def test_a_client_that_leaves_in_the_moment_of_its_answer_is_refunded(
    shared: SharedLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = wanted(rpm=5, concurrency=5)
    waiting = asyncio.ensure_future(shared.reserve(request))
    tell = shared._tell

    def told_and_left(*told: Any) -> None:
        tell(*told)
        waiting.cancel()

    monkeypatch.setattr(shared, "_tell", told_and_left)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    while shared._working is not None and not shared._working.done():
        await shared._working
    _, [model, *_] = await shared.look(bounds_of(request.identity, request.model, request.limits))
    assert (model.requests.total, model.running) == (0, {})
