"""What a restart keeps, and what one process over SQLite does that others may not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.core.errors import ConfigError, RateLimited
from radixa.gateway.limits.local import LocalLimiter
from radixa.gateway.limits.opening import limiter_for
from radixa.store.owner import Owner
from radixa.store.sql import SqlStore, open_store
from tests.gateway.limits.conftest import Ledger, Time, wanted


async def started(store: SqlStore, ledger: Ledger, time: Time) -> LocalLimiter:
    limiter = LocalLimiter(store.engine, ledger.spending, time, time)
    await limiter.start()
    return limiter


async def test_a_restart_gives_nobody_a_fresh_minute(sqlite_store: SqlStore, ledger: Ledger, time: Time) -> None:
    request = wanted(rpm=2, tpm=100, tokens=40)
    first = await started(sqlite_store, ledger, time)
    (await first.reserve(request)).settle(30, 0)
    time.now += 5000
    held = await first.reserve(request)
    await first.close()
    held.settle(40, 0)

    time.now += 10_000
    second = await started(sqlite_store, ledger, time)
    with pytest.raises(RateLimited) as refused:
        await second.reserve(request)
    # Until the first of the two is gone, to the millisecond.
    assert refused.value.retry_ms == 46_000
    # What ran when the first process ended runs no more.
    await second.reserve(wanted(tpm=100, concurrency=1, tokens=30))
    await second.close()

    time.now += 62_000
    third = await started(sqlite_store, ledger, time)
    await third.reserve(request)
    await third.close()


async def test_a_restart_with_the_clock_put_back(sqlite_store: SqlStore, ledger: Ledger, time: Time) -> None:
    request = wanted(rpm=1)
    first = await started(sqlite_store, ledger, time)
    await first.reserve(request)
    await first.close()
    time.now -= 3_600_000
    second = await started(sqlite_store, ledger, time)
    with pytest.raises(RateLimited):
        await second.reserve(request)
    time.now += 61_000
    await second.reserve(request)
    await second.close()


async def test_money_is_what_the_ledger_says(sqlite_store: SqlStore, ledger: Ledger, time: Time) -> None:
    """A process that died between settling and saving gives no credit back: nothing about money is saved."""
    request = wanted(cost=40, allowance=100)
    first = await started(sqlite_store, ledger, time)
    (await first.reserve(request)).settle(0, 40)
    ledger.accounts["acct_1"] = 40
    second = await started(sqlite_store, ledger, time)
    await second.reserve(request)
    spent = await second.spent("acct_1")
    assert (spent.total, spent.held) == (40, 40)
    for limiter in (first, second):
        await limiter.close()


async def test_scopes_that_nothing_counts_in_are_forgotten(local: LocalLimiter, time: Time) -> None:
    for number in range(50):
        (await local.reserve(wanted(account=f"acct_{number}", key=f"key_{number}", rpm=5))).settle(0, 0)
    running = await local.reserve(wanted(account="acct_running", key="key_running", rpm=5))
    assert len(local._scopes) == 153
    time.now += 62_000
    await local._save()
    # Models' at once, accounts and keys once the ledger is sure to have what they spent.
    assert len(local._scopes) == 103
    time.now += 600_000
    await local._save()
    assert set(local._scopes) == {"m:acct_running:gpt-4.1", "k:key_running", "a:acct_running"}
    running.settle(0, 0)
    assert (await local.spent("acct_running")).held == 0


async def test_a_model_without_limits_is_not_counted_and_money_always_is(local: LocalLimiter) -> None:
    (await local.reserve(wanted(cost=5))).settle(0, 3)
    assert set(local._scopes) == {"k:key_1", "a:acct_1"}
    assert (await local.spent("acct_1")).total == 3


def test_one_process_owns_a_file(sqlite_store: SqlStore, tmp_path: Path) -> None:
    owner = Owner(sqlite_store.engine)
    again = (
        "import sys; from radixa.store.owner import Owner; from radixa.store.sql import open_store; "
        "from radixa.core.config import StoreConfig; store = open_store(StoreConfig(url=sys.argv[1])); "
        "store.accounts(); Owner(store.engine)"
    )
    url = f"sqlite:///{tmp_path / 'radixa.db'}"
    found = subprocess.run([sys.executable, "-c", again, url], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "another `radixa serve` uses" in found.stderr
    assert "PostgreSQL" in found.stderr
    owner.close()
    assert subprocess.run([sys.executable, "-c", again, url], check=False).returncode == 0


def test_a_copy_is_another_database(sqlite_store: SqlStore, tmp_path: Path) -> None:
    owner = Owner(sqlite_store.engine)
    shutil.copy(tmp_path / "radixa.db", tmp_path / "copy.db")
    copy = open_store(StoreConfig(url=f"sqlite:///{tmp_path / 'copy.db'}"))
    Owner(copy.engine).close()
    with pytest.raises(ConfigError):
        Owner(sqlite_store.engine)
    owner.close()
    copy.close()


def test_a_database_says_which_limiter(sqlite_store: SqlStore, ledger: Ledger) -> None:
    assert isinstance(limiter_for(sqlite_store, ledger.spending), LocalLimiter)
