"""Limits of several processes, in one PostgreSQL.

What waits is decided in batches: one transaction locks the rows of all scopes concerned, in one order, so that no two
batches wait for each other; counts what ended; then takes each request in turn, in all its scopes or in none. While it
runs, the next batch gathers. What a process holds for running requests carries its id, and lapses when the process was
not heard of for some seconds.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from radixa.core.errors import RadixaError, StoreUnavailable
from radixa.gateway.limits import decide, rows
from radixa.gateway.limits.base import Bound, Change, Reservation, Taken, Wanted, bound_of, bounds_of
from radixa.gateway.limits.clocks import wall
from radixa.gateway.limits.headers import Standing
from radixa.gateway.limits.scope import Scope, Spent, advance, lapse
from radixa.gateway.limits.spending import Spending, at_least, spent_before
from radixa.store.base import NO_BUDGETS, NO_LIMITS

T = TypeVar("T")

log = logging.getLogger("radixa.gateway")

LAPSE_S = 10.0
_BEATS_A_LAPSE = 5
_RECONCILE_S = 30.0
"""How often the ledger is asked again what an account or a key spent."""
_KEEP_MS = 86_400_000
_RETRY_S = 0.5
_MOST = 256
"""Requests a transaction."""


@dataclass(slots=True)
class _Ask:
    wanted: Wanted
    bounds: list[Bound]
    answer: asyncio.Future[tuple[Taken, Standing]]


@dataclass(slots=True)
class _Batch:
    asks: list[_Ask] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


class SharedLimiter:
    """`Limiter` for processes that share a database."""

    def __init__(self, engine: Engine, spending: Spending, lapse_s: float = LAPSE_S) -> None:
        self.process = secrets.token_hex(8)
        self._engine = engine
        self._spending = spending
        self._lapse_s = lapse_s
        self._batch = _Batch()
        self._working: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        # One for the batches, so that they are one after the other, and one for what is only looked at.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="limits")
        self._made: set[str] = set()
        self._reconciled: dict[str, float] = {}
        """When the ledger was last asked of a scope, in seconds of `time.monotonic`."""
        self._steady_since: int | None = None
        """Since when every beat reached the database, by its clock; None where the last one did not."""

    async def start(self) -> None:
        self._steady_since = await self._in_thread(rows.beat, self._engine, self.process)
        self._beating = asyncio.create_task(self._beat_on())

    async def reserve(self, wanted: Wanted) -> Reservation:
        bounds = [bound for bound in bounds_of(wanted.identity, wanted.model, wanted.limits) if _limited(wanted, bound)]
        if not bounds:
            return Reservation(Taken((), (), 0, 0, 0), _nothing, lambda: Standing(wall()))
        answer: asyncio.Future[tuple[Taken, Standing]] = asyncio.get_running_loop().create_future()
        self._batch.asks.append(_Ask(wanted, bounds, answer))
        self._work()
        try:
            taken, standing = await answer
        except asyncio.CancelledError:
            if not answer.cancelled() and answer.exception() is None:
                # Decided just before its client left: nobody else will end it.
                self._end(Change(answer.result()[0], 0, 0, 0))
            raise
        return Reservation(taken, self._end, lambda: standing)

    async def look(self, bounds: Sequence[Bound]) -> tuple[int, list[Scope]]:
        return await self._in_thread(self._look, bounds)

    async def spent(self, account_id: str) -> Spent:
        return await self._in_thread(self._spent, bound_of(account_id))

    async def close(self) -> None:
        """Count what has ended, and leave: what this process still holds lapses at once."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=self._lapse_s)
            self._working.cancel()
        try:
            await self._in_thread(rows.leave, self._engine, self.process)
        except StoreUnavailable as error:
            log.warning("limits: %s What this process held lapses in %g s.", error.message, self._lapse_s)
        self._threads.shutdown(wait=False)

    def _end(self, change: Change) -> None:
        self._batch.changes.append(change)
        self._work()

    def _work(self) -> None:
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work_on())

    async def _work_on(self) -> None:
        """One batch after the other, until nothing waits."""
        while self._batch.asks or self._batch.changes:
            batch = self._batch
            waiting = [ask for ask in batch.asks if not ask.answer.done()]
            self._batch = _Batch(waiting[_MOST:])
            batch.asks = waiting[:_MOST]
            try:
                answers: Sequence[tuple[Taken, Standing] | Exception] = await self._in_thread(self._decide, batch)
            except StoreUnavailable as error:
                # What has ended is counted as soon as the database is back; whoever asks is told now.
                self._batch.changes[:0] = batch.changes
                self._tell(batch.asks, [error] * len(batch.asks))
                await asyncio.sleep(_RETRY_S)
            except Exception as error:
                log.exception("limits: a batch of %d requests could not be decided", len(batch.asks))
                self._tell(batch.asks, [error] * len(batch.asks))
                await self._count_each(batch.changes)
            else:
                self._tell(batch.asks, answers)

    async def _count_each(self, changes: Sequence[Change]) -> None:
        """One transaction for each, so that what is wrong with one holds up no other's end."""
        for change in changes:
            try:
                await self._in_thread(self._decide, _Batch(changes=[change]))
            except StoreUnavailable:
                self._batch.changes.append(change)
            except Exception:
                log.exception("limits: the end of a request could not be counted in %s", ", ".join(change.taken.scopes))

    def _tell(self, asks: Sequence[_Ask], answers: Sequence[tuple[Taken, Standing] | Exception]) -> None:
        for ask, answer in zip(asks, answers, strict=True):
            if isinstance(answer, Exception):
                if not ask.answer.done():
                    ask.answer.set_exception(answer)
            elif ask.answer.done():
                # Its client has left meanwhile.
                self._batch.changes.append(Change(answer[0], 0, 0, 0))
            else:
                ask.answer.set_result(answer)

    def _decide(self, batch: _Batch) -> list[tuple[Taken, Standing] | RadixaError]:
        """One transaction. Runs in a thread, as all below."""
        bounds = {bound.name: bound for ask in batch.asks for bound in ask.bounds}
        names = sorted({*bounds, *(name for change in batch.changes for name in change.taken.scopes)})
        self._make([name for name in names if name not in self._made])
        asked = time.monotonic()
        ledger = self._ask_ledger(list(bounds.values()), asked)
        while True:
            with self._engine.begin() as connection:
                scopes = rows.read(connection, names, lock=True)
                gone = [name for name in bounds if name not in scopes]
                if not gone:
                    now = rows.clock(connection)
                    self._refresh(connection, scopes, ledger, now)
                    for change in batch.changes:
                        decide.end(change, scopes, self.process)
                    answers = [self._take(ask, scopes, now) for ask in batch.asks]
                    rows.write(connection, scopes, now)
                    break
            # Long unused, and deleted since this process saw them.
            self._make(gone)
        self._reconciled.update(dict.fromkeys(ledger, asked))
        return answers

    def _refresh(self, connection: Connection, scopes: dict[str, Scope], ledger: dict[str, Spent], now: int) -> None:
        """Bring the counters to `now`: minutes, days, processes that have died, what they left in the ledger."""
        alive = self._alive(connection, now)
        for name, scope in scopes.items():
            lapse(scope, alive)
            advance(scope, now, now)
            if (found := ledger.get(name)) is not None:
                if scope.spent is None:
                    scope.spent = found
                at_least(scope.spent, found)

    def _alive(self, connection: Connection, now: int) -> set[str]:
        """The processes that live. Until this one's own beats have come for long enough, all that have not left: the
        database may have been away for everybody."""
        span = int(self._lapse_s * 1000)
        steady = self._steady_since is not None and now - self._steady_since >= span
        return rows.alive(connection, now - span if steady else 0) | {self.process}

    def _take(self, ask: _Ask, scopes: dict[str, Scope], now: int) -> tuple[Taken, Standing] | RadixaError:
        found = [scopes[bound.name] for bound in ask.bounds]
        error = decide.refusal(ask.wanted, ask.bounds, found, now)
        if error is not None:
            return error
        taken = decide.take(ask.wanted, ask.bounds, found, now, self.process)
        return taken, decide.standing(ask.bounds, found, now)

    def _make(self, names: list[str]) -> None:
        if names:
            rows.make(self._engine, names)
            self._made.update(names)

    def _ask_ledger(self, bounds: Sequence[Bound], now: float) -> dict[str, Spent]:
        """What the ledger says of accounts and keys that it was not asked about lately."""
        today = wall()
        return {
            bound.name: spent_before(self._spending, bound, today)
            for bound in bounds
            if bound.kind != "model" and now - self._reconciled.get(bound.name, -inf) > _RECONCILE_S
        }

    def _look(self, bounds: Sequence[Bound]) -> tuple[int, list[Scope]]:
        with self._engine.begin() as connection:
            found = rows.read(connection, [bound.name for bound in bounds], lock=False)
            now = rows.clock(connection)
            alive = self._alive(connection, now)
        scopes = [found.get(bound.name) or Scope() for bound in bounds]
        for scope in scopes:
            lapse(scope, alive)
            advance(scope, now, now)
        return now, scopes

    def _spent(self, bound: Bound) -> Spent:
        now, [scope] = self._look([bound])
        ledger = spent_before(self._spending, bound, now)
        spent = scope.spent or ledger
        at_least(spent, ledger)
        return spent

    async def _beat_on(self) -> None:
        cleaned = 0
        while True:
            await asyncio.sleep(self._lapse_s / _BEATS_A_LAPSE)
            try:
                now = await self._in_thread(rows.beat, self._engine, self.process)
                if self._steady_since is None:
                    self._steady_since = now
                if now - cleaned > _KEEP_MS // 24:
                    cleaned = now
                    await self._in_thread(rows.bury, self._engine, now - _KEEP_MS)
                    # Of scopes that are gone nothing is remembered here either.
                    self._made.clear()
                    self._reconciled.clear()
            except StoreUnavailable as error:
                self._steady_since = None
                log.warning("limits: %s", error.message)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except SQLAlchemyError as error:
            log.warning("limits: the database does not answer: %s", error)
            raise StoreUnavailable("The database does not answer, so limits cannot be checked now.") from error


def _limited(wanted: Wanted, bound: Bound) -> bool:
    """Whether anything of it can refuse a request: what cannot is not counted."""
    identity = wanted.identity
    money = {
        "model": False,
        "key": identity.terms.budgets != NO_BUDGETS,
        "account": identity.allowance is not None,
    }
    return money[bound.kind] or bound.limits != NO_LIMITS


def _nothing(change: Change) -> None:
    """The end of a request that nothing limits."""
