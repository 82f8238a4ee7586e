"""Models that their providers end: said before, while there is time to go elsewhere, and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from radixa.gateway.catalogue.base import Offer

NOTICE = timedelta(days=60)
"""How long before. Providers give about as much."""


def today() -> str:
    """The day by UTC, as prices and dates of the catalogue are written."""
    return datetime.now(UTC).date().isoformat()


def retired(offer: Offer, day: str) -> bool:
    """Whether on that ISO day the provider has ended what it calls `offer.target`."""
    return offer.retires is not None and offer.retires <= day


def warnings(offers: Iterable[Offer], day: str) -> Iterator[str]:
    """A sentence on each model that retires within `NOTICE` of that ISO day, or did."""
    soon = (date.fromisoformat(day) + NOTICE).isoformat()
    for offer in offers:
        if offer.retires is None or offer.retires > soon:
            continue
        yield (
            f"the model {offer.id}: its provider {offer.provider} "
            + (
                f"ended {offer.target} on {offer.retires}, and now refuses it or lets another model answer"
                if retired(offer, day)
                else f"ends {offer.target} on {offer.retires}"
            )
            + (
                f". It names {offer.successor} in its place: ask for that, or make it the entry's upstream_model"
                if offer.successor
                else ". Give the entry another upstream_model"
            )
        )
