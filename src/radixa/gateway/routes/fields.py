"""Fields that bodies of the administrative routes share."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from radixa.core.errors import InvalidRequest
from radixa.core.money import nano
from radixa.gateway.request import Request
from radixa.store.base import Actor, Limits

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Seconds = Annotated[int, Meta(ge=0, le=2**53)]
Dollars = Annotated[float, Meta(ge=0, le=1e9)]
Amount = Annotated[float, Meta(ge=-1e9, le=1e9)]


class LimitsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits in a change: what is absent stays, null takes one away."""

    rpm: Count | UnsetType | None = UNSET
    tpm: Count | UnsetType | None = UNSET
    concurrency: Count | UnsetType | None = UNSET


def limits_of(body: LimitsBody, before: Limits) -> Limits:
    """`before`, with what the body sets."""
    return Limits(
        before.rpm if body.rpm is UNSET else body.rpm,
        before.tpm if body.tpm is UNSET else body.tpm,
        before.concurrency if body.concurrency is UNSET else body.concurrency,
    )


def nano_of(dollars: float | None, field: str) -> int | None:
    """Nano-dollars. InvalidRequest where nano-dollars cannot hold it."""
    if dollars is None:
        return None
    found = nano(dollars)
    if found is None:
        raise InvalidRequest(
            f"Invalid '{field}': {dollars}. Expected dollars with at most nine decimals.",
            param=field,
            code="invalid_value",
        )
    return found


def actor(request: Request) -> Actor:
    """Who acts, for the audit log."""
    return Actor(request.identity.account_id, request.identity.key_id, request.id)
