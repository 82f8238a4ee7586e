"""What the ledger keeps, and what it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

Api = Literal["chat", "completions", "responses", "messages", "embeddings", "warm"]
GroupBy = Literal["model", "key", "session", "day", "account"]


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One answered request. It holds counts, names and times; nothing of what was asked or answered."""

    request_id: str
    """The answer's `x-request-id`. A row with one that is there already is the same row, and is not added again."""
    created: float
    """Seconds since 1970."""
    account_id: str
    key_id: str = ""
    session_id: str = ""
    """Empty for none."""
    model: str
    """As the caller asked for it."""
    served_by: str
    """The model that really answered."""
    provider: str
    api: Api
    stream: bool = False
    status: int = 200
    """As the caller saw it: 499 where it left, 502 or 504 where an upstream's stream broke."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    long_write_tokens: int = 0
    """Those of the written tokens that are kept for an hour or more."""
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    """Those of the completion tokens that the caller did not see."""
    disk_tokens: int = 0
    """Those of the cached tokens that came from disk."""
    cost_nano_usd: int | None = None
    """None where the price is unknown."""
    saved_nano_usd: int | None = None
    """Against the same request with nothing cached; negative where writing the cache cost more than it saved."""
    ttft_ms: float | None = None
    """None where no token came."""
    duration_ms: float = 0.0
    estimated: bool = False
    """The counts are the gateway's own, because the upstream never said."""
    fallback_from: str = ""
    """The model that was tried first; empty where the first one answered."""
    blocks: bytes = b""
    """Keyed hashes of the prompt's blocks of 64 tokens (`blocks.py`); empty where an upstream answered."""


COUNTS: tuple[str, ...] = (
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "long_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "disk_tokens",
)
"""The fields of a row that are counts of tokens."""
SUMS: tuple[str, ...] = (
    "requests",
    *COUNTS,
    "cost_nano_usd",
    "saved_nano_usd",
    "unknown_price_requests",
    "timed_requests",
    "ttft_us",
)
"""What rows add up to; the fields of `Totals`."""


class Query(msgspec.Struct, frozen=True):
    """Which rows: of one account, or of all; of one key; `since` <= created < `until`, in seconds since 1970."""

    account_id: str | None = None
    key_id: str | None = None
    since: float | None = None
    until: float | None = None


class Totals(msgspec.Struct, frozen=True):
    """What rows add up to. The amounts are of the requests whose price is known; `unknown_price_requests` are not.

    `ttft_us` is the times to the first token of the `timed_requests` that had one, in whole microseconds each.
    """

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    long_write_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    disk_tokens: int = 0
    cost_nano_usd: int = 0
    saved_nano_usd: int = 0
    unknown_price_requests: int = 0
    timed_requests: int = 0
    ttft_us: int = 0

    @property
    def ttft_ms(self) -> float | None:
        """On average; None where no token came."""
        return round(self.ttft_us / self.timed_requests / 1e3, 3) if self.timed_requests else None


def added(parts: Iterable[Totals]) -> Totals:
    """The totals of all that the parts are the totals of."""
    sums = map(sum, zip(*(msgspec.structs.astuple(part) for part in parts), strict=True))
    return Totals(*sums)


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that have one key in common: a model, a key's id, a session, an account, or a day (its first second)."""

    key: str | int
    account_id: str
    """Whose the session is where sessions of all accounts were asked for, else empty."""
    totals: Totals
    last: float
    """When the newest of its requests came, in seconds since 1970."""
