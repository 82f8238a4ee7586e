"""Models and entries of the catalogue as the API tells them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class PricesShape(msgspec.Struct, frozen=True):
    """Dollars per million tokens."""

    input: float
    cached_input: float
    cache_write: float
    output: float


class ModelLimitsShape(msgspec.Struct, frozen=True):
    """Of each account, a minute; null is no limit."""

    rpm: int | None
    tpm: int | None


class OfferShape(msgspec.Struct, frozen=True, kw_only=True):
    provider: str
    served_by: str
    prices_usd_per_mtok: PricesShape | None
    """Null where they are not known."""
    limits: ModelLimitsShape
    context: int | None
    shutdown_date: str | None
    retires: str | None
    retired: bool
    successor: str | None


class ModelShape(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    radixa: OfferShape


class DatedPricesShape(msgspec.Struct, frozen=True, kw_only=True):
    """As they were written down: null where nothing was."""

    input: float | None
    cached_input: float | None
    output: float | None
    cache_write: float | None
    cache_write_long: float | None
    since: str


class EntryShape(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the catalogue; `missing` says why it is not offered."""

    id: str
    object: Literal["catalogue.entry"]
    provider: str
    upstream_model: str
    prices: list[DatedPricesShape]
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    cached_weight: float
    context: int | None
    shutdown_date: str | None
    fallbacks: list[str]
    extra: dict[str, Any]
    retires: str | None
    successor: str | None
    source: Literal["database", "configuration"]
    offered: bool
    missing: str | None


class RemovedEntryShape(msgspec.Struct, frozen=True):
    id: str
    object: Literal["catalogue.entry"]
    deleted: Literal[True]


class TokensShape(msgspec.Struct, frozen=True):
    object: Literal["tokens"]
    model: str
    count: int
    max_model_len: int
    tokens: list[int]


class TextShape(msgspec.Struct, frozen=True):
    """`prompt` and `text` are the same."""

    object: Literal["text"]
    model: str
    prompt: str
    text: str
