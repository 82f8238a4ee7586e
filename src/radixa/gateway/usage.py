"""`usage` of an answer: counts that add up, what they cost, and what reuse saved (CONTRACT 3.2)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from radixa.core import money
from radixa.core.base import GenerateChunk, Usage
from radixa.gateway.catalogue import Offer
from radixa.gateway.misses import MissBody, VolatileBody, miss_body, volatile_body
from radixa.models.base import Tokenizer
from radixa.providers.prompt import Prompt


class PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class Tiers(msgspec.Struct, frozen=True):
    """Where the cached tokens lay."""

    device: int
    host: int = 0
    disk: int = 0


def tiers_of(cached_tokens: int, disk_tokens: int) -> Tiers:
    return Tiers(device=cached_tokens - disk_tokens, disk=disk_tokens)


class RadixaUsage(msgspec.Struct, frozen=True):
    served_by: str
    cost_usd: msgspec.Raw | None
    """None where the price is unknown."""
    saved_usd: msgspec.Raw | None
    ttft_ms: float
    tiers: Tiers
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
    radixa: RadixaUsage


class Meter:
    """Watches one request's chunks: when the first token came, and what each answer used.

    `n` answers share each prompt, which is billed once: as the answer that hit least of it was counted, since that is
    the one for which the rest was computed; the others hit what it left.
    """

    def __init__(self, offer: Offer, started: float, n: int, prompts: Sequence[Prompt], tokenizer: Tokenizer) -> None:
        """`started` by time.perf_counter, when the request came in."""
        self.offer = offer
        self.ttft_ms = 0.0
        self._started = started
        self._n = n
        self._prompts = prompts
        self._tokenizer = tokenizer
        self._answers: dict[int, Usage] = {}

    def note(self, chunk: GenerateChunk) -> None:
        if not self.ttft_ms:
            self.ttft_ms = round((time.perf_counter() - self._started) * 1e3, 3)
        if chunk.usage is not None:
            self._answers[chunk.index] = chunk.usage

    def total(self) -> Usage:
        """The request's usage, over all prompts and answers that have ended."""
        billed = self._billed().values()
        return Usage(
            prompt_tokens=sum(usage.prompt_tokens for usage in billed),
            cached_tokens=sum(usage.cached_tokens for usage in billed),
            cache_write_tokens=sum(usage.cache_write_tokens for usage in billed),
            completion_tokens=sum(usage.completion_tokens for usage in self._answers.values()),
            disk_tokens=sum(usage.disk_tokens for usage in billed),
        )

    def _billed(self) -> dict[int, Usage]:
        """By prompt, the answer that counts for it."""
        found: dict[int, Usage] = {}
        for index, usage in self._answers.items():
            best = found.get(index // self._n)
            if best is None or _effort(usage) > _effort(best):
                found[index // self._n] = usage
        return found

    def body(self) -> UsageBody:
        usage = self.total()
        miss, volatile = self._miss()
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
                tiers=tiers_of(usage.cached_tokens, usage.disk_tokens),
                miss=miss,
                volatile=volatile,
            ),
        )

    def _miss(self) -> tuple[MissBody | msgspec.UnsetType, VolatileBody | msgspec.UnsetType]:
        for number, usage in sorted(self._billed().items()):
            if usage.miss is not None:
                prompt, volatile = self._prompts[number], usage.volatile
                return (
                    miss_body(usage.miss, prompt, volatile, self._tokenizer),
                    msgspec.UNSET if volatile is None else volatile_body(volatile, prompt, self._tokenizer),
                )
        return msgspec.UNSET, msgspec.UNSET


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
