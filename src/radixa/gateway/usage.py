"""`usage` of an answer: counts that add up, what they cost, and what reuse saved (CONTRACT 3.2)."""

from __future__ import annotations

from typing import Any

import msgspec

from radixa.core import money
from radixa.core.base import Explanation, Usage
from radixa.gateway.catalogue import Offer
from radixa.gateway.misses import MissBody, VolatileBody


class PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class CompletionDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int


class Tiers(msgspec.Struct, frozen=True):
    """Where the cached tokens lay."""

    device: int
    host: int = 0
    disk: int = 0


def tiers_of(found: Usage | Explanation) -> Tiers:
    host, disk = found.host_tokens, found.disk_tokens
    return Tiers(device=found.cached_tokens - host - disk, host=host, disk=disk)


class RadixaUsage(msgspec.Struct, frozen=True):
    served_by: str
    cost_usd: msgspec.Raw | None
    """None where the price is unknown."""
    saved_usd: msgspec.Raw | None
    ttft_ms: float
    tiers: Tiers
    estimated: bool | msgspec.UnsetType = msgspec.UNSET
    """Present where the upstream never said what it counted."""
    miss: MissBody | msgspec.UnsetType = msgspec.UNSET
    """Of the first prompt that was not reused to its last token but one; absent where there is none."""
    volatile: VolatileBody | msgspec.UnsetType = msgspec.UNSET
    """Of the same prompt."""


class UsageBody(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails
    radixa: RadixaUsage


def usage_body(
    usage: Usage,
    offer: Offer,
    ttft_ms: float,
    miss: MissBody | msgspec.UnsetType = msgspec.UNSET,
    volatile: VolatileBody | msgspec.UnsetType = msgspec.UNSET,
) -> UsageBody:
    return UsageBody(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        cached_tokens=usage.cached_tokens,
        prompt_tokens_details=PromptDetails(usage.cached_tokens, usage.cache_write_tokens),
        completion_tokens_details=CompletionDetails(usage.reasoning_tokens),
        radixa=RadixaUsage(
            served_by=offer.served_by,
            cost_usd=dollars(money.cost(usage, offer.prices)),
            saved_usd=dollars(money.saved(usage, offer.prices)),
            ttft_ms=ttft_ms,
            tiers=tiers_of(usage),
            estimated=usage.estimated or msgspec.UNSET,
            miss=miss,
            volatile=volatile,
        ),
    )


def dollars(nano: int | None) -> msgspec.Raw | None:
    """Nano-dollars as an exact JSON number; null where unknown."""
    return None if nano is None else msgspec.Raw(money.usd(nano).encode())


def price_body(prices: money.TokenPrices | None) -> dict[str, Any] | None:
    """Prices in dollars per million tokens, exact; null where unknown."""
    if prices is None:
        return None
    return {
        name: msgspec.Raw(money.usd_per_mtok(getattr(prices, name)).encode())
        for name in ("input", "cached_input", "cache_write", "output")
    }
