"""The models on offer: the engine's own first, then every entry whose provider can serve."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from radixa.core.config import ModelEntry
from radixa.core.errors import InvalidRequest, ModelNotFound, shown
from radixa.core.money import FREE
from radixa.gateway.catalogue.base import EMBEDDED, Available, Missing, Offer
from radixa.gateway.catalogue.prices import DatedPrices, dated_prices, prices_on
from radixa.providers.registry import OURS
from radixa.store.base import NO_LIMITS, Limits

_DAY_S = 86_400
_NO_ENGINE = Missing("no engine", "start the server with one ([engine] enabled)")


@dataclass(frozen=True, slots=True)
class _Known:
    entry: ModelEntry
    prices: tuple[DatedPrices, ...]


class Catalogue:
    """What every model name means."""

    def __init__(
        self,
        entries: Iterable[ModelEntry],
        *,
        own: str | None,
        context: int | None,
        sandbox: bool,
        available: Available,
    ) -> None:
        """`own` is the embedded engine's model and `context` its context length in tokens; None where there is none.

        With `sandbox` that engine answers for every entry of an upstream, whichever it names.
        """
        self._own = own
        self._context = context
        self._sandbox = sandbox and own is not None
        self._available = available
        self._known: dict[str, _Known] = {}
        self._day = -1
        self._offers: dict[str, Offer] = {}
        self.replace(entries)

    def replace(self, entries: Iterable[ModelEntry]) -> None:
        """From now on these are the entries. ConfigError for one that cannot be."""
        self._known = {entry.id: _Known(entry, dated_prices(entry)) for entry in entries}
        self._day = -1

    def offers(self) -> list[Offer]:
        """Every model that can be asked for now, the engine's own first."""
        return list(self._today().values())

    def resolve(self, name: str | None) -> Offer:
        """The offer of that name; the engine's own where none is given.

        ModelNotFound says what is missing; InvalidRequest where no model is named and there is none of our own.
        """
        if name is None:
            name = self._own
        if name is None:
            raise InvalidRequest(
                "Missing required parameter: 'model'. This server has no model of its own; GET /v1/models lists those "
                "that it offers.",
                param="model",
                code="missing_required_parameter",
            )
        offer = self._today().get(name)
        if offer is None:
            reason = self.missing(name)
            if reason is None:
                raise ModelNotFound(f"The model `{shown(name)}` does not exist or you do not have access to it.")
            raise ModelNotFound(f"The model `{name}` is not offered: {reason}.")
        return offer

    def missing(self, name: str) -> str | None:
        """Why the entry of that name is not offered, and what would change that; None where it is, or is none."""
        known = self._known.get(name)
        if known is None or (lacking := self._lacking(known.entry)) is None:
            return None
        reason = f"{lacking.what} for {name}: {lacking.remedy}"
        return f"{reason}, or start with --sandbox" if known.entry.provider not in OURS else reason

    def _today(self) -> dict[str, Offer]:
        """The offers at today's prices (UTC), worked out again when the day or an entry changes."""
        day = int(time.time()) // _DAY_S
        if day != self._day:
            self._offers = self._offers_on(datetime.fromtimestamp(day * _DAY_S, UTC).date().isoformat())
            self._day = day
        return self._offers

    def _offers_on(self, day: str) -> dict[str, Offer]:
        found: dict[str, Offer] = {}
        if self._own is not None:
            found[self._own] = Offer(
                self._own, EMBEDDED, self._own, FREE, NO_LIMITS, self._context, None, self._own, embedded=True
            )
        for name, known in self._known.items():
            if self._lacking(known.entry) is None:
                offer = self._offer(known, day, embedded=self._embedded(known.entry))
                found[name] = replace(offer, provider=EMBEDDED) if name == self._own else offer
        return {
            name: replace(offer, fallbacks=tuple(other for other in offer.fallbacks if other in found))
            if offer.fallbacks
            else offer
            for name, offer in found.items()
        }

    def _offer(self, known: _Known, day: str, *, embedded: bool) -> Offer:
        entry = known.entry
        target, context = entry.upstream_model or entry.id, entry.context
        retires, successor = entry.retires or (entry.shutdown_date if target == entry.id else None), entry.successor
        if embedded:
            assert self._own is not None
            target, retires, successor = self._own, None, None
            context = min((length for length in (context, self._context) if length is not None), default=None)
        return Offer(
            id=entry.id,
            provider=entry.provider,
            served_by=target,
            prices=prices_on(day, known.prices),
            limits=Limits(entry.rpm, entry.tpm, entry.concurrency),
            context=context,
            shutdown_date=entry.shutdown_date,
            target=target,
            cached_weight=entry.cached_weight,
            fallbacks=entry.fallbacks,
            extra=entry.extra,
            embedded=embedded,
            retires=retires,
            successor=successor,
        )

    def _embedded(self, entry: ModelEntry) -> bool:
        """Also for an entry under the engine's own name: it prices that, and gives it to nobody else."""
        stood_in = self._sandbox and entry.provider not in OURS
        return self._own is not None and (stood_in or entry.provider == EMBEDDED or entry.id == self._own)

    def _lacking(self, entry: ModelEntry) -> Missing | None:
        if self._embedded(entry):
            return None
        return _NO_ENGINE if entry.provider == EMBEDDED else self._available(entry.provider)
