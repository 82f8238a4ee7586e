"""Prices that hold from a day on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from radixa.core.config import ModelEntry
from radixa.core.errors import ConfigError
from radixa.core.money import TokenPrices, token_prices


@dataclass(frozen=True, slots=True)
class DatedPrices:
    """Prices from the day `since` (ISO, empty for always) on; None where they are unknown."""

    since: str
    prices: TokenPrices | None


def dated_prices(entry: ModelEntry) -> tuple[DatedPrices, ...]:
    """An entry's prices as integers, oldest first. ConfigError names the entry and what is wrong with it, and its
    `param` is the field."""
    days = [(field, field, getattr(entry, field) or "") for field in ("shutdown_date", "retires")]
    days += [("since", f"prices[{i}].since", given.since) for i, given in enumerate(entry.prices)]
    for label, field, day in days:
        if day and not is_day(day):
            raise ConfigError(f"models: {entry.id}: {label} = {day!r}: expected a day such as 2027-01-14", param=field)
    if entry.retires == "":
        raise ConfigError(f"models: {entry.id}: retires = '': expected a day such as 2027-01-14", param="retires")
    if entry.successor is not None and (
        not entry.successor.isprintable() or entry.successor in ("", entry.id, entry.upstream_model)
    ):
        raise ConfigError(
            f"models: {entry.id}: successor = {entry.successor!r}: expected the name of another model",
            param="successor",
        )
    dated = []
    for i, given in enumerate(entry.prices):
        try:
            dated.append(DatedPrices(given.since, token_prices(given, entry.id)))
        except ConfigError as error:
            raise ConfigError(error.message, param=f"prices[{i}]") from error
    return tuple(sorted(dated, key=lambda found: found.since))


def prices_on(day: str, dated: Iterable[DatedPrices]) -> TokenPrices | None:
    """The prices that hold on that ISO day; None where they are unknown. `dated` as `dated_prices` gives them."""
    return next((found.prices for found in reversed(tuple(dated)) if found.since <= day), None)


def is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
