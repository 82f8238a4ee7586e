"""Whether a request fits, and what counts when it does: the rules, over plain counters.

Both limiters call these, the one over its memory, the other over locked rows. `scopes` go with `bounds`, one for one,
and were advanced to `now`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radixa.core.errors import RadixaError
from radixa.gateway.auth import Identity
from radixa.gateway.limits import wording
from radixa.gateway.limits.base import Bound, Change, Taken, Wanted
from radixa.gateway.limits.headers import Left, Standing, openai_headers
from radixa.gateway.limits.scope import Scope, Spent, hold
from radixa.gateway.limits.window import Window, add, correct, empty_in, wait

_BUSY_MS = 1000
"""When to come again where requests are running: nobody knows when one ends."""


def refusal(wanted: Wanted, bounds: Sequence[Bound], scopes: Sequence[Scope], now: int) -> RadixaError | None:
    """Why it does not fit: what never will first, then money, then whatever it must wait for longest."""
    quota = _quota(wanted, bounds, scopes)
    if quota is not None:
        return quota
    longest, worst = -1, None
    for bound, scope in zip(bounds, scopes, strict=True):
        limits = bound.limits
        if limits.tpm is not None:
            until = wait(scope.tokens, now, wanted.tokens, limits.tpm)
            if until is None:
                return wording.too_large(wanted, bound, _headers(bounds, scopes, now))
            if until > longest and until:
                longest, worst = until, (bound, "tokens", limits.tpm, scope.tokens.total, wanted.tokens)
        if limits.rpm is not None:
            until = wait(scope.requests, now, 1, limits.rpm)
            if until is None:
                return wording.closed(wanted, bound, "requests", _headers(bounds, scopes, now))
            if until > longest and until:
                longest, worst = until, (bound, "requests", limits.rpm, scope.requests.total, 1)
        if limits.concurrency is not None:
            running = sum(scope.running.values())
            if limits.concurrency == 0:
                return wording.closed(wanted, bound, "concurrency", _headers(bounds, scopes, now))
            if running >= limits.concurrency and longest < _BUSY_MS:
                longest, worst = _BUSY_MS, (bound, "concurrency", limits.concurrency, running, 1)
    if worst is None:
        return None
    return wording.reached(wanted, *worst, longest, _headers(bounds, scopes, now))


def _quota(wanted: Wanted, bounds: Sequence[Bound], scopes: Sequence[Scope]) -> RadixaError | None:
    """Whether money is left for it. What costs nothing needs none; what costs nobody knows what needs some."""
    if wanted.cost == 0:
        return None
    for bound, scope in zip(bounds, scopes, strict=True):
        spent = scope.spent
        if spent is None:
            continue
        for name, allowed, used in _purses(bound, wanted.identity, spent):
            left = allowed - used - spent.held
            if left <= 0 or (wanted.cost is not None and wanted.cost > left):
                return wording.out_of_money(wanted, bound, name, allowed, left)
    return None


def _purses(bound: Bound, identity: Identity, spent: Spent) -> list[tuple[str, int, int]]:
    """What limits the money of a scope: a name, how much, and how much of it is gone."""
    if bound.kind == "account":
        return [] if identity.allowance is None else [("credit", identity.allowance, spent.total)]
    budgets = identity.terms.budgets
    found = (
        ("day", budgets.day, spent.day),
        ("month", budgets.month, spent.month),
        ("total", budgets.total, spent.total),
    )
    return [(name, allowed, used) for name, allowed, used in found if allowed is not None]


def take(wanted: Wanted, bounds: Sequence[Bound], scopes: Sequence[Scope], now: int, process: str) -> Taken:
    """Count it in all scopes."""
    cost = wanted.cost or 0
    for scope in scopes:
        add(scope.requests, now, 1)
        add(scope.tokens, now, wanted.tokens)
        running = scope.running
        running[process] = running.get(process, 0) + 1
        if cost and scope.spent is not None:
            hold(scope.spent.reserved, process, cost)
    names, jumps = tuple([bound.name for bound in bounds]), tuple([scope.jumps for scope in scopes])
    return Taken(names, jumps, now // 1000, wanted.tokens, cost)


def end(change: Change, scopes: Mapping[str, Scope], process: str) -> None:
    """Count what it really used. A scope that is gone has nothing left to count for it."""
    taken = change.taken
    tokens, cost = change.tokens - taken.tokens, change.cost
    for name, jumps in zip(taken.scopes, taken.jumps, strict=True):
        scope = scopes.get(name)
        if scope is None:
            continue
        if jumps == scope.jumps:
            if not change.requests:
                correct(scope.requests, taken.second, -1)
            if tokens:
                correct(scope.tokens, taken.second, tokens)
        hold(scope.running, process, -1)
        spent = scope.spent
        if spent is not None:
            if taken.cost:
                hold(spent.reserved, process, -taken.cost)
            if cost:
                spent.total += cost
                spent.day += cost
                spent.month += cost


def standing(bounds: Sequence[Bound], scopes: Sequence[Scope], now: int) -> Standing:
    """What is left, for the headers."""
    requests = tokens = None
    for bound, scope in zip(bounds, scopes, strict=True):
        limits = bound.limits
        if limits.rpm is not None:
            requests = _least(requests, limits.rpm, scope.requests, now)
        if limits.tpm is not None:
            tokens = _least(tokens, limits.tpm, scope.tokens, now)
    return Standing(now, requests, tokens)


def _least(other: Left | None, limit: int, window: Window, now: int) -> Left:
    remaining = max(0, limit - window.total)
    if other is not None and other.remaining <= remaining:
        return other
    return Left(limit, remaining, empty_in(window, now))


def _headers(bounds: Sequence[Bound], scopes: Sequence[Scope], now: int) -> tuple[tuple[bytes, bytes], ...]:
    return openai_headers(standing(bounds, scopes, now))
