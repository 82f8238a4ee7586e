"""What the catalogue is about: an offer, and what an entry lacks to be one.

An entry (`core.config.ModelEntry`) is what somebody wrote down: in the catalogue that ships, in the configuration, or
through `/v1/catalogue`. It is offered where its provider can serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from radixa.core.money import TokenPrices
from radixa.store.base import Limits

EMBEDDED = "radixa"
"""The provider that is our own engine."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that requests may use. `prices` None is an unknown price; a `context` of None is no limit."""

    id: str
    provider: str
    """As the entry names it, also where the embedded engine answers in its place."""
    served_by: str
    """The model that really answers."""
    prices: TokenPrices | None
    """Today's."""
    limits: Limits
    """Of each account."""
    context: int | None
    shutdown_date: str | None
    target: str = ""
    """What the provider calls it."""
    cached_weight: float = 1.0
    """How much a cached token counts towards the tokens a minute."""
    fallbacks: tuple[str, ...] = ()
    """Models that are asked in turn where this one's provider fails before it answers; those that are offered now."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that the body for the provider gets where it has none of them."""
    embedded: bool = False
    """Our own engine answers."""
    retires: str | None = None
    """The day (YYYY-MM-DD) on which the provider ends `target`; None where nobody said, or where we answer."""
    successor: str | None = None
    """What the provider names to ask for from then on."""


class Missing(NamedTuple):
    """Why a provider cannot be asked, and what would change that."""

    what: str
    """Such as `no key`."""
    remedy: str
    """Such as `set OPENAI_API_KEY`."""


Available = Callable[[str], Missing | None]
"""What the provider of a name lacks; None where it can be asked."""
