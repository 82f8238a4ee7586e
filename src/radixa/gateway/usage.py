"""`usage` of an answer: counts that add up, what they cost, and what reuse saved (CONTRACT 3.2)."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from radixa.core import money
from radixa.core.base import GenerateChunk, Usage
from radixa.gateway.catalogue import Offer


class PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class Tiers(msgspec.Struct, frozen=True):
    """Where the cached tokens lay."""

    device: int
    host: int = 0
    disk: int = 0


class RadixaUsage(msgspec.Struct, frozen=True):
    served_by: str
    cost_usd: msgspec.Raw | None
    """None where the price is unknown."""
    saved_usd: msgspec.Raw | None
    ttft_ms: float
    tiers: Tiers


class UsageBody(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    prompt_tokens_details: PromptDetails
    radixa: RadixaUsage


class Meter:
    """Watches one request's chunks: when the first token came, and what each answer used.

    `n` answers share each prompt, which is billed once: as the answer that hit least of it was counted, since that is
    the one for which the rest was computed; the others hit what it left.
    """

    def __init__(self, offer: Offer, started: float, n: int) -> None:
        """`started` by time.perf_counter, when the request came in."""
        self.offer = offer
        self.ttft_ms = 0.0
        self._started = started
        self._n = n
        self._answers: dict[int, Usage] = {}

    def note(self, chunk: GenerateChunk) -> None:
        if not self.ttft_ms:
            self.ttft_ms = round((time.perf_counter() - self._started) * 1e3, 3)
        if chunk.usage is not None:
            self._answers[chunk.index] = chunk.usage

    def total(self) -> Usage:
        """The request's usage, over all prompts and answers that have ended."""
        prompts: dict[int, Usage] = {}
        completion = 0
        for index, usage in self._answers.items():
            completion += usage.completion_tokens
            best = prompts.get(index // self._n)
            if best is None or _effort(usage) > _effort(best):
                prompts[index // self._n] = usage
        return Usage(
            prompt_tokens=sum(usage.prompt_tokens for usage in prompts.values()),
            cached_tokens=sum(usage.cached_tokens for usage in prompts.values()),
            cache_write_tokens=sum(usage.cache_write_tokens for usage in prompts.values()),
            completion_tokens=completion,
        )

    def body(self) -> UsageBody:
        usage = self.total()
        return UsageBody(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
            cached_tokens=usage.cached_tokens,
            prompt_tokens_details=PromptDetails(usage.cached_tokens, usage.cache_write_tokens),
            radixa=RadixaUsage(
                served_by=self.offer.served_by,
                cost_usd=dollars(money.cost(usage, self.offer.prices)),
                saved_usd=dollars(money.saved(usage, self.offer.prices)),
                ttft_ms=self.ttft_ms,
                tiers=Tiers(device=usage.cached_tokens),
            ),
        )


def _effort(usage: Usage) -> tuple[int, int]:
    """Prompt tokens computed, then kept: the larger, the more of the request's one prompt this answer paid for."""
    return usage.prompt_tokens - usage.cached_tokens, usage.cache_write_tokens


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
