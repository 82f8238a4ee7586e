"""Limiters to test with, and clocks that go as they are told."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.gateway.auth import Identity
from radixa.gateway.limits.base import Limiter, Wanted
from radixa.gateway.limits.local import LocalLimiter
from radixa.gateway.limits.shared import SharedLimiter
from radixa.gateway.limits.spending import Spending
from radixa.store.base import NO_LIMITS, Budgets, KeyTerms, Limits
from radixa.store.sql import SqlStore, open_store

NOON = 1_790_000_000_000
"""Some day in 2026, in milliseconds."""


@dataclass
class Time:
    """A clock that stands until it is moved."""

    now: int = NOON

    def __call__(self) -> int:
        return self.now


@dataclass
class Ledger:
    """What was spent before, as the ledger would say."""

    accounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    keys: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    asked: int = 0

    @property
    def spending(self) -> Spending:
        return Spending(self._account, self._key)

    def _account(self, account_id: str) -> int:
        self.asked += 1
        return self.accounts[account_id]

    def _key(self, key_id: str, since: int) -> int:
        return self.keys[key_id, since]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def sqlite_store(tmp_path: Path, migrated: Path) -> Iterator[SqlStore]:
    shutil.copy(migrated, tmp_path / "radixa.db")
    found = open_store(StoreConfig(), tmp_path / "radixa.db")
    yield found
    found.close()


@pytest.fixture
async def local(sqlite_store: SqlStore, ledger: Ledger, time: Time) -> AsyncIterator[LocalLimiter]:
    limiter = LocalLimiter(sqlite_store.engine, ledger.spending, time, time)
    await limiter.start()
    yield limiter
    await limiter.close()


@pytest.fixture
async def shared(postgres_store: SqlStore, ledger: Ledger) -> AsyncIterator[SharedLimiter]:
    limiter = SharedLimiter(postgres_store.engine, ledger.spending)
    await limiter.start()
    yield limiter
    await limiter.close()


@pytest.fixture(params=["local", "shared"])
def limiter(request: pytest.FixtureRequest) -> Limiter:
    """Either of them, which must behave alike."""
    found: Limiter = request.getfixturevalue(request.param)
    return found


def wanted(
    *,
    rpm: int | None = None,
    tpm: int | None = None,
    concurrency: int | None = None,
    tokens: int = 0,
    cost: int | None = 0,
    account: str = "acct_1",
    key: str = "key_1",
    model: str = "gpt-4.1",
    account_limits: Limits = NO_LIMITS,
    key_limits: Limits = NO_LIMITS,
    budgets: Budgets | None = None,
    allowance: int | None = None,
) -> Wanted:
    """A request; `rpm`, `tpm` and `concurrency` are its model's."""
    terms = KeyTerms(limits=key_limits, budgets=budgets or Budgets())
    identity = Identity(account, key, admin=False, terms=terms, limits=account_limits, allowance=allowance)
    return Wanted(identity, model, Limits(rpm, tpm, concurrency), tokens, cost)
