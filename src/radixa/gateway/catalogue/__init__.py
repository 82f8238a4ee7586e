"""The catalogue: which models there are, who answers for them, and what they cost. Start at `base.py`."""

from radixa.gateway.catalogue.base import EMBEDDED, Missing, Offer
from radixa.gateway.catalogue.entries import entries_with, shipped
from radixa.gateway.catalogue.offers import Catalogue
from radixa.gateway.catalogue.prices import DatedPrices, dated_prices, prices_on
from radixa.gateway.catalogue.shelf import Shelf

__all__ = [
    "EMBEDDED",
    "Catalogue",
    "DatedPrices",
    "Missing",
    "Offer",
    "Shelf",
    "dated_prices",
    "entries_with",
    "prices_on",
    "shipped",
]
