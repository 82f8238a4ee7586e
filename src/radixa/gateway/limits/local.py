"""Limits of one process, in memory; every second what changed goes to the database, so that a restart gives nobody a
fresh minute.

Money is not saved: it is read from the ledger when an account or a key first appears, and counted on from there. What
was spent is in the ledger before it is settled here, so a process that dies in between gives no credit back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from radixa.core.errors import StoreUnavailable
from radixa.gateway.limits import decide, rows
from radixa.gateway.limits.base import Bound, Change, Reservation, Wanted, bound_of, bounds_of
from radixa.gateway.limits.clocks import Clock, steady, wall
from radixa.gateway.limits.scope import Scope, Spent, advance
from radixa.gateway.limits.spending import Spending, spent_before
from radixa.gateway.limits.window import SPAN
from radixa.store.base import NO_LIMITS

log = logging.getLogger("radixa.gateway")

SAVE_S = 1.0
_IDLE_MS = 600_000
"""An account or a key that was not seen for that long is forgotten: by then the ledger has all that it spent."""
_PROCESS = ""


class LocalLimiter:
    """`Limiter` for one process."""

    def __init__(self, engine: Engine, spending: Spending, clock: Clock | None = None, calendar: Clock = wall) -> None:
        """`clock` measures minutes, `calendar` says the day."""
        self._engine = engine
        self._spending = spending
        self._clock = clock or steady()
        self._calendar = calendar
        self._scopes: dict[str, Scope] = {}
        self._seen: dict[str, int] = {}
        self._dirty: set[str] = set()
        self._loading: dict[str, asyncio.Task[Spent]] = {}
        self._saver: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on where the last process stopped."""
        since = self._clock() - SPAN * 1000
        self._scopes = await asyncio.to_thread(rows.load, self._engine, since)
        self._seen = dict.fromkeys(self._scopes, self._clock())
        self._saver = asyncio.create_task(self._save_on())

    async def reserve(self, wanted: Wanted) -> Reservation:
        # An account's and a key's money is counted with a limit or without, since one may be set while requests run.
        every = bounds_of(wanted.identity, wanted.model, wanted.limits)
        bounds = [bound for bound in every if bound.kind != "model" or bound.limits != NO_LIMITS]
        while True:
            scopes = [self._scope(bound.name) for bound in bounds]
            pairs = zip(bounds, scopes, strict=True)
            unread = next((b for b, scope in pairs if scope.spent is None and b.kind != "model"), None)
            if unread is None:
                break
            # Whatever was waited for, the scopes may be others then.
            await self._load(unread)
        now = self._advance(scopes)
        error = decide.refusal(wanted, bounds, scopes, now)
        if error is not None:
            raise error
        taken = decide.take(wanted, bounds, scopes, now, _PROCESS)
        self._touch(taken.scopes, now)
        return Reservation(taken, self._end, lambda: decide.standing(bounds, scopes, now))

    def _end(self, change: Change) -> None:
        names = change.taken.scopes
        now = self._advance([scope for name in names if (scope := self._scopes.get(name)) is not None])
        decide.end(change, self._scopes, _PROCESS)
        self._touch(names, now)

    async def look(self, bounds: Sequence[Bound]) -> tuple[int, list[Scope]]:
        scopes = [self._scopes.get(bound.name) or Scope() for bound in bounds]
        return self._advance(scopes), scopes

    async def spent(self, account_id: str) -> Spent:
        bound = bound_of(account_id)
        scope = self._scope(bound.name)
        if scope.spent is None:
            await self._load(bound)
            scope = self._scope(bound.name)
        assert scope.spent is not None
        return scope.spent

    async def close(self) -> None:
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
            self._saver = None
            await self._save()

    def _scope(self, name: str) -> Scope:
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes[name] = Scope()
            self._seen[name] = self._clock()
        return scope

    def _advance(self, scopes: Sequence[Scope]) -> int:
        now, today = self._clock(), self._calendar()
        for scope in scopes:
            advance(scope, now, today)
        return now

    def _touch(self, names: Sequence[str], now: int) -> None:
        self._dirty.update(names)
        for name in names:
            self._seen[name] = now

    async def _load(self, bound: Bound) -> None:
        """Read what was spent before, once for all who wait for it."""
        loading = self._loading.get(bound.name)
        if loading is None:
            today = self._calendar()
            loading = asyncio.create_task(asyncio.to_thread(spent_before, self._spending, bound, today))
            self._loading[bound.name] = loading
            loading.add_done_callback(lambda task: self._loaded(bound.name, task))
        try:
            await asyncio.shield(loading)
        except SQLAlchemyError as error:
            raise StoreUnavailable("The database does not answer, so nobody knows what is left to spend.") from error
        # It may be done, and not yet have said so.
        self._loaded(bound.name, loading)

    def _loaded(self, name: str, task: asyncio.Task[Spent]) -> None:
        if self._loading.get(name) is task:
            del self._loading[name]
        if not task.cancelled() and task.exception() is None:
            scope = self._scope(name)
            if scope.spent is None:
                scope.spent = task.result()

    async def _save_on(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await self._save()

    async def _save(self) -> None:
        """Write what changed, and forget who has long been gone. What cannot be written now is written next time."""
        now = self._clock()
        dirty, self._dirty = self._dirty, set()
        found = [(name, self._scopes[name]) for name in dirty if name in self._scopes]
        packed = [(name, rows.pack(Scope(scope.requests, scope.tokens))) for name, scope in found]
        if packed:
            try:
                await asyncio.to_thread(rows.save, self._engine, packed, now)
            except SQLAlchemyError as error:
                self._dirty |= dirty
                log.warning("limits could not be saved, a restart now would forget them: %s", error)
        self._forget(now)

    def _forget(self, now: int) -> None:
        """Drop scopes in which nothing counts."""
        for name in [name for name, at in self._seen.items() if now - at > SPAN * 1000]:
            scope = self._scopes.get(name)
            if scope is not None:
                advance(scope, now, self._calendar())
                # Whoever looked last may hold `scope` while its money is read.
                if not scope.idle or name in self._loading:
                    continue
                if scope.spent is not None and (scope.spent.reserved or now - self._seen[name] <= _IDLE_MS):
                    continue
                del self._scopes[name]
            del self._seen[name]
