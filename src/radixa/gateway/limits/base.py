"""What goes in and out of limits.

A request is counted in up to three scopes: the model for this account, the key, and the account. Before it runs, all
that it may use is reserved in all of them or in none; after it, the reservation is settled to what it really used, or
refunded as if it had never come. Amounts of money are integer nano-dollars, times milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Literal, Protocol

import msgspec

from radixa.core.base import Usage
from radixa.gateway.asgi import Header
from radixa.gateway.auth import Identity
from radixa.gateway.limits.headers import Standing, anthropic_headers, openai_headers
from radixa.gateway.limits.scope import Scope, Spent
from radixa.store.base import NO_LIMITS, Limits

ScopeKind = Literal["model", "key", "account"]


class Wanted(msgspec.Struct, frozen=True):
    """What a request may use at most."""

    identity: Identity
    model: str
    limits: Limits
    """The model's, for each account."""
    tokens: int
    """Those of the prompt, as far as they can be estimated, and all that may be generated."""
    cost: int | None
    """What these would cost; None where the price is unknown."""


class Bound(msgspec.Struct, frozen=True):
    """One scope that a request is counted in, and its limits."""

    kind: ScopeKind
    name: str
    limits: Limits


def bounds_of(identity: Identity, model: str, limits: Limits) -> list[Bound]:
    """The scopes of a request. Without a key (`--no-auth`) there is none to limit."""
    account = identity.account_id
    found = [
        Bound("model", f"m:{account}:{model}", limits),
        bound_of(account, identity.limits),
    ]
    if identity.key_id:
        found.insert(1, Bound("key", f"k:{identity.key_id}", identity.terms.limits))
    return found


def bound_of(account_id: str, limits: Limits = NO_LIMITS) -> Bound:
    """The scope of an account, in which its money is counted too."""
    return Bound("account", f"a:{account_id}", limits)


class Taken(msgspec.Struct, frozen=True):
    """What was reserved, where and when; what is kept of a request until it is settled."""

    scopes: tuple[str, ...]
    jumps: tuple[int, ...]
    """Of each scope, when it was reserved."""
    second: int
    tokens: int
    cost: int


class Change(msgspec.Struct, frozen=True):
    """The end of a reservation: `tokens` and `cost` are what was really used, `requests` 0 where it never came."""

    taken: Taken
    requests: int
    tokens: int
    cost: int


class Reservation:
    """What one request may use. It ends once: the first of `settle` and `refund` holds."""

    __slots__ = ("_end", "_standing", "_taken")

    def __init__(self, taken: Taken, end: Callable[[Change], None], standing: Callable[[], Standing]) -> None:
        self._taken: Taken | None = taken
        self._end = end
        self._standing = standing

    def settle(self, tokens: int, cost: int | None) -> None:
        """It used that many tokens (`weighed`) and cost that much; None is an unknown price and counts nothing."""
        self._change(1, tokens, cost or 0)

    def refund(self) -> None:
        """Nothing was answered: as if the request had never come."""
        self._change(0, 0, 0)

    def _change(self, requests: int, tokens: int, cost: int) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            self._end(Change(taken, requests, tokens, cost))

    def headers(self) -> tuple[Header, ...]:
        """`x-ratelimit-*` of whichever scope has the least left; none where nothing is limited."""
        return openai_headers(self._standing())

    def anthropic_headers(self) -> tuple[Header, ...]:
        """The same as `anthropic-ratelimit-*`."""
        return anthropic_headers(self._standing())


class Limiter(Protocol):
    """Counts for one process, or for several over one database."""

    async def start(self) -> None: ...

    async def reserve(self, wanted: Wanted) -> Reservation:
        """RateLimited or QuotaExceeded where it does not fit: then nothing is counted. StoreUnavailable where that
        cannot be said."""
        ...

    async def look(self, bounds: Sequence[Bound]) -> tuple[int, list[Scope]]:
        """The time, and each scope's counters at it."""
        ...

    async def spent(self, account_id: str) -> Spent:
        """What an account spent, and what its running requests may still cost."""
        ...

    async def close(self) -> None:
        """Save what must outlive this process. Running requests have ended before."""
        ...


def weighed(usage: Usage, cached_weight: float) -> int:
    """Tokens as they count towards tokens per minute: a cached one as `cached_weight`, in all rounded up."""
    return usage.total_tokens - usage.cached_tokens + ceil(usage.cached_tokens * cached_weight)
