"""Refusals in OpenAI's words."""

from __future__ import annotations

from radixa.core.errors import QuotaExceeded, RateLimited
from radixa.core.money import usd
from radixa.gateway.asgi import Header
from radixa.gateway.limits.base import Bound, Wanted
from radixa.gateway.limits.headers import duration

_UNITS = {
    "requests": "requests per min (RPM)",
    "tokens": "tokens per min (TPM)",
    "concurrency": "requests at once (concurrency)",
}
_AGAIN = {
    "day": "It begins anew at 00:00 UTC.",
    "month": "It begins anew on the first of the month, 00:00 UTC.",
    "total": "An administrator can raise it.",
}


def reached(
    wanted: Wanted, bound: Bound, what: str, limit: int, used: int, requested: int, ms: int, headers: tuple[Header, ...]
) -> RateLimited:
    """Too much now; `ms` until it is not."""
    return RateLimited(
        f"Rate limit reached for {_whom(wanted, bound)} on {_UNITS[what]}: Limit {limit}, Used {used}, "
        f"Requested {requested}. Please try again in {duration(ms)}.",
        kind=_kind(what),
        retry_ms=ms,
        headers=headers,
    )


def too_large(wanted: Wanted, bound: Bound, headers: tuple[Header, ...]) -> RateLimited:
    """One request over a whole minute's tokens."""
    return RateLimited(
        f"Request too large for {_whom(wanted, bound)} on {_UNITS['tokens']}: Limit {bound.limits.tpm}, "
        f"Requested {wanted.tokens}. The input or output tokens must be reduced in order to run successfully.",
        kind="tokens",
        retry_ms=None,
        headers=headers,
    )


def closed(wanted: Wanted, bound: Bound, what: str, headers: tuple[Header, ...]) -> RateLimited:
    """A limit of 0."""
    return RateLimited(
        f"Rate limit reached for {_whom(wanted, bound)} on {_UNITS[what]}: Limit 0, Requested 1. "
        "Trying again is no use before an administrator raises it.",
        kind=_kind(what),
        retry_ms=None,
        headers=headers,
    )


def out_of_money(wanted: Wanted, bound: Bound, name: str, allowed: int, left: int) -> QuotaExceeded:
    """No credit left, or a budget of the key used up; `left` also counts what running requests may still cost."""
    price = "and nobody knows what this request costs"
    if wanted.cost is not None:
        price = f"and this request may cost up to ${usd(wanted.cost)}"
    if bound.kind == "account":
        return QuotaExceeded(
            f"You exceeded your current quota, please check your plan and billing details: organization "
            f"{wanted.identity.account_id} has ${usd(left)} of credit left, {price}. An administrator adds credit."
        )
    budget = {"day": "budget per day", "month": "budget per month", "total": "budget in all"}[name]
    return QuotaExceeded(
        f"You exceeded your current quota, please check your plan and billing details: of the {budget} of key "
        f"{wanted.identity.key_id}, ${usd(allowed)}, ${usd(left)} is left, {price}. {_AGAIN[name]}"
    )


def _whom(wanted: Wanted, bound: Bound) -> str:
    organization = f"organization {wanted.identity.account_id}"
    if bound.kind == "model":
        return f"{wanted.model} in {organization}"
    if bound.kind == "key":
        return f"key {wanted.identity.key_id} in {organization}"
    return f"all models in {organization}"


def _kind(what: str) -> str:
    return "tokens" if what == "tokens" else "requests"
