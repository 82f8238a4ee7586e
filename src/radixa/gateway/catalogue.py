"""The models on offer: the engine's own first, then the catalogue's names, each with its price and limits."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.resources import files

import msgspec

from radixa.core.config import ModelEntry
from radixa.core.errors import ConfigError, ModelNotFound
from radixa.core.money import FREE, TokenPrices, token_prices
from radixa.gateway.errors import shown

EMBEDDED = "radixa"
"""The provider that is our own engine."""

KEY_VARIABLES: Mapping[str, str] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
}


@dataclass(frozen=True, slots=True)
class DatedPrices:
    """Prices from the day `since` (ISO, empty for always) on; None where they are unknown."""

    since: str
    prices: TokenPrices | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that requests may use. `prices` None is an unknown price; `rpm` and `tpm` None are no limit."""

    id: str
    provider: str
    served_by: str
    prices: TokenPrices | None
    rpm: int | None
    tpm: int | None
    context: int | None
    shutdown_date: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    entry: ModelEntry
    prices: tuple[DatedPrices, ...]


class Catalogue:
    """What every model name means. `own` is the engine's model, `context` its context length in tokens."""

    def __init__(self, entries: Iterable[ModelEntry], *, own: str, context: int, sandbox: bool) -> None:
        self._known = {entry.id: _Known(entry, dated_prices(entry)) for entry in entries}
        self._own = own
        self._context = context
        self._sandbox = sandbox
        self._day = ""
        self._offers: dict[str, Offer] = {}

    def offers(self) -> list[Offer]:
        """Every model that can be asked for now, the engine's own first."""
        return list(self._today().values())

    def resolve(self, name: str | None) -> Offer:
        """The offer of that name; the engine's own where none is given. ModelNotFound says what is missing."""
        offer = self._today().get(self._own if name is None else name)
        if offer is None:
            raise ModelNotFound(self._missing(name or self._own))
        return offer

    def _today(self) -> dict[str, Offer]:
        """The offers at today's prices (UTC), worked out again when the day changes."""
        day = datetime.now(UTC).date().isoformat()
        if day != self._day:
            self._offers = self._offers_on(day)
            self._day = day
        return self._offers

    def _offers_on(self, day: str) -> dict[str, Offer]:
        own = Offer(self._own, EMBEDDED, self._own, FREE, None, None, self._context, None)
        found = {own.id: own}
        for name, known in self._known.items():
            entry = known.entry
            if not (self._sandbox or entry.provider == EMBEDDED):
                continue
            context = min(entry.context or self._context, self._context)
            prices = prices_on(day, known.prices)
            offer = Offer(name, entry.provider, self._own, prices, entry.rpm, entry.tpm, context, entry.shutdown_date)
            # An entry under the engine's own name prices it.
            found[name] = replace(offer, provider=EMBEDDED) if name == own.id else offer
        return found

    def _missing(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            return f"The model `{shown(name)}` does not exist or you do not have access to it."
        variable = KEY_VARIABLES.get(known.entry.provider)
        if variable is None:
            reason = f"it names no provider that we know ({known.entry.provider})"
        elif os.environ.get(variable):
            reason = f"{variable} is set"
        else:
            reason = f"no key for {name}: {variable} is not set"
        return (
            f"The model `{name}` is not offered: {reason}, and this release does not call upstream providers yet. "
            "Start the server with --sandbox to have the embedded engine answer under this name."
        )


def shipped() -> tuple[ModelEntry, ...]:
    """The entries of `catalogue.toml`."""
    text = files("radixa.gateway").joinpath("catalogue.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["models"], tuple[ModelEntry, ...])


def entries_with(own: Iterable[ModelEntry]) -> tuple[ModelEntry, ...]:
    """The shipped entries, then the operator's; an operator's entry replaces a shipped one of the same id."""
    merged = {entry.id: entry for entry in (*shipped(), *own)}
    return tuple(merged.values())


def dated_prices(entry: ModelEntry) -> tuple[DatedPrices, ...]:
    """An entry's prices as integers, oldest first. ConfigError names the entry and what is wrong with it."""
    for label, day in [("shutdown_date", entry.shutdown_date or ""), *(("since", p.since) for p in entry.prices)]:
        if day and not _is_day(day):
            raise ConfigError(f"models: {entry.id}: {label} = {day!r}: expected a day such as 2027-01-14")
    dated = (DatedPrices(prices.since, token_prices(prices, entry.id)) for prices in entry.prices)
    return tuple(sorted(dated, key=lambda found: found.since))


def prices_on(day: str, dated: Iterable[DatedPrices]) -> TokenPrices | None:
    """The prices that hold on that ISO day; None where they are unknown. `dated` as `dated_prices` gives them."""
    return next((found.prices for found in reversed(tuple(dated)) if found.since <= day), None)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
