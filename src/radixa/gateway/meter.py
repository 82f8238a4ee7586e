"""Watches one request's answer go by: when it began, how far it came, and what it used."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from radixa.core.base import GenerateChunk, Usage
from radixa.gateway.catalogue import Offer
from radixa.gateway.misses import MissBody, VolatileBody, miss_body, volatile_body
from radixa.gateway.usage import UsageBody, usage_body
from radixa.models.base import Tokenizer
from radixa.providers.local.prompt import Prompt
from radixa.providers.size import estimated_tokens, utf8_bytes


class Meter:
    """One request's counts.

    `n` answers share each prompt, which is billed once: as the answer that hit least of it was counted, since that is
    the one for which the rest was computed; the others hit what it left.
    """

    def __init__(
        self,
        offer: Offer,
        started: float,
        n: int,
        prompts: Sequence[Prompt] = (),
        tokenizer: Tokenizer | None = None,
        *,
        sent_bytes: int = 0,
        at_most: int | None = None,
    ) -> None:
        """`started` by time.perf_counter, when the request came in.

        `prompts` and `tokenizer` where our own engine answers; `sent_bytes` of the body's text where an upstream does,
        which may never say what it counted. Nobody is billed more than `at_most` tokens of an answer that is only
        estimated: what an upstream sends beyond what it was asked for is its own affair.
        """
        self.offer = offer
        self.ttft_ms: float | None = None
        self._started = started
        self._n = n
        self._prompts = prompts
        self._tokenizer = tokenizer
        self._sent_bytes = sent_bytes
        self._at_most = at_most
        self._usages: dict[int, Usage] = {}
        self._ended: dict[int, str] = {}
        """By answer, why it ended."""
        self._tokens: dict[int, int] = {}
        self._bytes = 0

    def note(self, chunk: GenerateChunk) -> None:
        if self.ttft_ms is None:
            self.ttft_ms = round((time.perf_counter() - self._started) * 1e3, 3)
        if chunk.usage is not None:
            self._usages[chunk.index] = chunk.usage
        if chunk.finish_reason is not None:
            self._ended[chunk.index] = chunk.finish_reason
        self._tokens[chunk.index] = self._tokens.get(chunk.index, 0) + len(chunk.token_ids)
        self._bytes += utf8_bytes(chunk.text) + utf8_bytes(chunk.reasoning)
        for call in chunk.tool_calls:
            self._bytes += utf8_bytes(call.name) + utf8_bytes(call.arguments)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Of the answers that ended, in their order."""
        return tuple([reason for _, reason in sorted(self._ended.items())])

    def complete(self, answers: int) -> bool:
        """Whether all `answers` have ended and their usage is known: nothing that costs comes any more."""
        if self._prompts:
            return len(self._ended) == answers
        return len(self._ended) >= answers and len(self._billed()) >= answers // self._n

    def total(self) -> Usage:
        """The request's usage so far, over all prompts and answers."""
        usage = self._total()
        if not usage.estimated or self._at_most is None or usage.completion_tokens <= self._at_most:
            return usage
        return replace(
            usage, completion_tokens=self._at_most, reasoning_tokens=min(usage.reasoning_tokens, self._at_most)
        )

    def _total(self) -> Usage:
        if not self._prompts:
            if not self._usages:
                return self._estimate()
            if len(self._usages) == 1 and self._ended:
                return next(iter(self._usages.values()))
        billed = self._billed().values()
        completed, estimated = self._completed(), any(usage.estimated for usage in billed)
        if not (self._prompts or self._ended):
            # An upstream that says early what the prompt was says what it answered only in the end.
            completed, estimated = max(completed, estimated_tokens(self._bytes)), True
        return Usage(
            prompt_tokens=sum(usage.prompt_tokens for usage in billed) or sum(p.tokens for p in self._prompts),
            cached_tokens=sum(usage.cached_tokens for usage in billed),
            cache_write_tokens=sum(usage.cache_write_tokens for usage in billed),
            completion_tokens=completed,
            host_tokens=sum(usage.host_tokens for usage in billed),
            disk_tokens=sum(usage.disk_tokens for usage in billed),
            long_write_tokens=sum(usage.long_write_tokens for usage in billed),
            reasoning_tokens=sum(usage.reasoning_tokens for usage in self._usages.values()),
            estimated=estimated,
        )

    def _completed(self) -> int:
        """Tokens of all answers: as they were counted where they are, else as they were seen."""
        indexes = self._usages.keys() | self._tokens.keys()
        return sum(
            max(self._usages[i].completion_tokens if i in self._usages else 0, self._tokens.get(i, 0)) for i in indexes
        )

    def _estimate(self) -> Usage:
        return Usage(
            prompt_tokens=estimated_tokens(self._sent_bytes),
            completion_tokens=estimated_tokens(self._bytes),
            estimated=True,
        )

    def _billed(self) -> dict[int, Usage]:
        """By prompt, the answer that counts for it."""
        found: dict[int, Usage] = {}
        for index, usage in self._usages.items():
            best = found.get(index // self._n)
            if best is None or _effort(usage) > _effort(best):
                found[index // self._n] = usage
        return found

    def billed(self) -> tuple[Prompt, Usage] | None:
        """The one prompt that our own engine answered, and what of it hit; None for several, and before an answer."""
        usage = self._billed().get(0)
        return (self._prompts[0], usage) if len(self._prompts) == 1 and usage is not None else None

    def token_ids(self) -> bytes | None:
        """The prompt's, where our own engine answers one."""
        return self._prompts[0].token_ids if len(self._prompts) == 1 else None

    def body(self) -> UsageBody:
        miss, volatile = self._miss()
        return usage_body(self.total(), self.offer, self.ttft_ms or 0.0, miss, volatile)

    def _miss(self) -> tuple[MissBody | msgspec.UnsetType, VolatileBody | msgspec.UnsetType]:
        if self._tokenizer is None:
            return msgspec.UNSET, msgspec.UNSET
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
