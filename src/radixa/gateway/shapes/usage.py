"""`/v1/usage` as the API tells it (CONTRACT 3.4). Times are Unix seconds, amounts nano-dollars."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from radixa.store.ledger.base import Api


class CountsShape(msgspec.Struct, frozen=True, kw_only=True):
    """Of a request, or of several; an amount is null where no price of theirs is known."""

    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    long_write_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    disk_tokens: int
    cost_nano_usd: int | None
    saved_nano_usd: int | None
    ttft_ms: float | None


class TotalsShape(CountsShape, frozen=True, kw_only=True):
    """Of several requests; `ttft_ms` is their average."""

    requests: int
    unknown_price_requests: int


class UsageRowShape(CountsShape, frozen=True, kw_only=True, tag_field="object", tag="usage"):
    """An answered request."""

    request_id: str
    created: float
    account_id: str
    key_id: str
    session_id: str
    model: str
    served_by: str
    provider: str
    api: Api
    stream: bool
    status: int
    duration_ms: float
    estimated: bool
    fallback_from: str
    blocks: str | UnsetType = UNSET
    """Where they were asked for: keyed hashes of the prompt's blocks, in hexadecimal."""


class UsageGroupShape(TotalsShape, frozen=True, kw_only=True, tag_field="object", tag="usage.group"):
    """Requests that have one thing in common, which is the one field of these that is there."""

    model: str | UnsetType = UNSET
    key_id: str | UnsetType = UNSET
    session_id: str | UnsetType = UNSET
    day: str | UnsetType = UNSET
    account_id: str | UnsetType = UNSET
    """Also whose a session is, where those of all accounts were asked for."""
    last: float


class UsageShape(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["list"]
    data: list[UsageRowShape | UsageGroupShape]
    totals: TotalsShape
    has_more: bool
