"""What a request may use before it runs, and what it used after: limits, ledger, counts, metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from radixa.core import money
from radixa.core.base import Usage
from radixa.core.errors import LedgerUnavailable, QuotaExceeded, RateLimited
from radixa.gateway.asgi import Header
from radixa.gateway.catalogue import Offer
from radixa.gateway.ledger.book import Ledger
from radixa.gateway.limits.base import Limiter, Reservation, Wanted, weighed
from radixa.gateway.meter import Meter
from radixa.gateway.metrics import Metrics
from radixa.gateway.recent import Answered, Recent
from radixa.gateway.request import Request
from radixa.providers.size import estimated_tokens
from radixa.store.ledger.base import Api, LedgerRow
from radixa.store.ledger.blocks import block_names

log = logging.getLogger("radixa.gateway")


class Use(msgspec.Struct, frozen=True):
    """A request as its account sees it."""

    api: Api
    text_bytes: int
    """Of its body, without pictures. Says about how many tokens its prompt has."""
    generated: int = 0
    """Tokens that may be generated at most, over all its answers."""
    stream: bool = False
    session: str = ""
    namespace: str = ""
    fallback_from: str = ""
    """The model that was asked first; empty where this is it."""
    keeps: bool = False
    """Whether the cache may keep its prompt."""


@dataclass(slots=True)
class Counts:
    """What one account used since this server started."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0

    def add(self, usage: Usage) -> None:
        self.requests += 1
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.completion_tokens += usage.completion_tokens

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class Accounting:
    """All requests' accounts. `secret` is the installation's, under which prompts are named in the ledger."""

    def __init__(self, limiter: Limiter, ledger: Ledger, metrics: Metrics, secret: bytes) -> None:
        self.limiter = limiter
        self.ledger = ledger
        self._metrics = metrics
        self._secret = secret
        self.counts: defaultdict[str, Counts] = defaultdict(Counts)
        """By account id."""
        self.recent = Recent()

    async def open(self, request: Request, offer: Offer, use: Use) -> Account:
        """Reserve what the request may use. RateLimited or QuotaExceeded where that is too much now."""
        prompt = estimated_tokens(use.text_bytes)
        at_most = Usage(prompt_tokens=prompt, completion_tokens=use.generated)
        wanted = Wanted(
            identity=request.identity,
            model=offer.id,
            limits=offer.limits,
            tokens=at_most.total_tokens,
            cost=None if offer.prices is None else money.cost(at_most, money.dearest(offer.prices)),
        )
        try:
            reservation = await self.limiter.reserve(wanted)
        except (RateLimited, QuotaExceeded) as error:
            self._metrics.refused(error.kind)
            raise
        request.offer = offer
        return Account(self, request, offer, use, reservation)

    def total(self) -> Counts:
        """What all accounts used together."""
        return sum(self.counts.values(), Counts())

    def write(self, request: Request, offer: Offer, use: Use, meter: Meter, status: int) -> tuple[Usage, int | None]:
        """Put a request into the ledger, then count it; returns what it used and what that cost.

        LedgerUnavailable where it cannot be written down.
        """
        usage = meter.total()
        duration_s = time.perf_counter() - request.started
        keys = meter.token_ids()
        row = LedgerRow(
            request_id=request.id,
            created=time.time() - duration_s,
            account_id=request.identity.account_id,
            key_id=request.identity.key_id,
            session_id=use.session,
            model=offer.id,
            served_by=offer.served_by,
            provider=offer.provider,
            api=use.api,
            stream=use.stream,
            status=status,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            long_write_tokens=usage.long_write_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            disk_tokens=usage.disk_tokens,
            cost_nano_usd=money.cost(usage, offer.prices),
            saved_nano_usd=money.saved(usage, offer.prices),
            ttft_ms=meter.ttft_ms,
            duration_ms=round(duration_s * 1e3, 3),
            estimated=usage.estimated,
            fallback_from=use.fallback_from,
            blocks=b"" if keys is None else block_names(self._secret, use.namespace, keys),
        )
        self.ledger.append(row)
        request.row, request.finish_reasons = row, meter.finish_reasons
        self.counts[row.account_id].add(usage)
        billed = meter.billed() if use.keeps else None
        if billed is not None:
            answered = Answered(row.request_id, row.created, row.model, row.api, row.session_id, *billed)
            self.recent.note(row.account_id, answered)
        ttft_s = meter.ttft_ms / 1e3 if usage.completion_tokens and meter.ttft_ms else None
        self._metrics.answered(offer.id, usage, ttft_s)
        return usage, row.cost_nano_usd


class Account:
    """One request's reservation. It is closed once: what comes first of its methods holds.

    An answer begins within `with account:`. What keeps it from that counts nothing, but where the client left.
    """

    def __init__(
        self, accounting: Accounting, request: Request, offer: Offer, use: Use, reservation: Reservation
    ) -> None:
        self._accounting = accounting
        self._request = request
        self._offer = offer
        self._use = use
        self._reservation = reservation
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            # That was a request, but no tokens.
            self._open = False
            self._reservation.settle(0, 0)
        elif error is not None:
            self.refund()

    def headers(self) -> tuple[Header, ...]:
        """What is left under the limits, as the API of the request has it."""
        found = self._reservation.headers()
        return (*found, *self._reservation.anthropic_headers()) if self._use.api == "messages" else found

    def settle(self, meter: Meter, status: int) -> None:
        """What the answer used, as `meter` saw it; `status` is what its caller gets in the end.

        LedgerUnavailable where it cannot be written down: then the answer must not end as if it were.
        """
        if not self._open:
            return
        self._open = False
        tokens, cost = 0, None
        try:
            usage, cost = self._accounting.write(self._request, self._offer, self._use, meter, status)
            tokens = weighed(usage, self._offer.cached_weight)
        finally:
            self._reservation.settle(tokens, cost)

    def close(self, meter: Meter, status: int) -> None:
        """`settle`, for an answer that broke off and can say nothing any more."""
        try:
            self.settle(meter, status)
        except LedgerUnavailable as error:
            log.error("request %s is not in the ledger: %s", self._request.id, error.message)

    def refund(self) -> None:
        """Nothing was answered: as if the request had never come."""
        self._open = False
        self._reservation.refund()
