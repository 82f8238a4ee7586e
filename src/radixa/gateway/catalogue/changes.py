"""A change that an administrator wants to an entry, read and checked."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from radixa.core.config import ModelEntry, Prices
from radixa.core.errors import ConfigError, InvalidRequest, shown
from radixa.gateway.catalogue.prices import dated_prices
from radixa.gateway.decode import BodyDecoder

LONGEST_ID = 200

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
Usd = Annotated[float, Meta(ge=0, le=1e6)]
Limit = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class PricesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars per million tokens. Without `since` they hold from today on."""

    input: Usd | None = None
    cached_input: Usd | None = None
    output: Usd | None = None
    cache_write: Usd | None = None
    cache_write_long: Usd | None = None
    since: str | None = None


class EntryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ModelEntry` as JSON, with the same names; its id is in the path."""

    provider: Name
    id: str | None = None
    upstream_model: Annotated[str, Meta(max_length=LONGEST_ID)] | None = None
    prices: Annotated[list[PricesBody], Meta(max_length=1000)] | None = None
    rpm: Limit | None = None
    tpm: Limit | None = None
    concurrency: Limit | None = None
    cached_weight: Annotated[float, Meta(ge=0, le=1)] | None = None
    context: Limit | None = None
    shutdown_date: str | None = None
    fallbacks: Annotated[list[Name], Meta(max_length=16)] | None = None
    extra: Annotated[dict[str, Any], Meta(max_length=64)] | None = None
    retires: str | None = None
    successor: Annotated[str, Meta(max_length=LONGEST_ID)] | None = None


_decode = BodyDecoder(EntryBody)
_AS_GIVEN = (
    "upstream_model",
    "rpm",
    "tpm",
    "concurrency",
    "cached_weight",
    "context",
    "shutdown_date",
    "extra",
    "retires",
    "successor",
)


def read(body: bytes, name: str) -> EntryBody:
    """InvalidRequest names the field that is wrong, or that no entry has."""
    if not 1 <= len(name) <= LONGEST_ID or not name.isprintable():
        raise InvalidRequest(
            f"Invalid model id: expected 1 to {LONGEST_ID} printable characters.", param="id", code="invalid_value"
        )
    found = _decode(body)
    if found.id not in (None, name):
        raise InvalidRequest(
            f"Invalid 'id': '{shown(found.id)}'. Expected '{shown(name)}', as in the path.",
            param="id",
            code="invalid_value",
        )
    return found


def entry_of(body: EntryBody, name: str, before: ModelEntry | None, known: Container[str], today: str) -> ModelEntry:
    """The entry that `body` describes, with what prices were until today (an ISO day) kept from the entry `before`.

    InvalidRequest names a field that cannot be; `known` are the models that fallbacks may name.
    """
    for i, other in enumerate(body.fallbacks or ()):
        if other == name or other not in known:
            raise InvalidRequest(
                f"Invalid 'fallbacks[{i}]': '{shown(other)}'. Expected another model of the catalogue.",
                param=f"fallbacks[{i}]",
                code="invalid_value",
            )
    given = {field: value for field in _AS_GIVEN if (value := getattr(body, field)) is not None}
    entry = ModelEntry(
        name,
        body.provider,
        prices=tuple(_prices(each, today) for each in body.prices or ()),
        fallbacks=tuple(body.fallbacks or ()),
        **given,
    )
    try:
        dated_prices(entry)
    except ConfigError as error:
        raise InvalidRequest(
            f"Invalid '{error.param}': {error.message}.", param=error.param, code="invalid_value"
        ) from None
    return msgspec.structs.replace(entry, prices=_kept(before, entry.prices, today))


def _prices(body: PricesBody, today: str) -> Prices:
    return Prices(
        input=body.input,
        cached_input=body.cached_input,
        output=body.output,
        cache_write=body.cache_write,
        cache_write_long=body.cache_write_long,
        since=today if body.since is None else body.since,
    )


def _kept(before: ModelEntry | None, new: tuple[Prices, ...], today: str) -> tuple[Prices, ...]:
    """What cost what on a day that is over stays as it was; what was to come is now what `new` says.

    Without any new price, none is known from today on.
    """
    new = new or (Prices(since=today),)
    days = {prices.since for prices in new}
    past = [prices for prices in (before.prices if before else ()) if prices.since < today and prices.since not in days]
    return tuple(sorted((*past, *new), key=lambda prices: prices.since))
