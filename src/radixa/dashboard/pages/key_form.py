"""The form of a key's terms, and the body of `/v1/keys` that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

COUNTS = ("rpm", "tpm", "concurrency")
BUDGETS = ("budget_day_usd", "budget_month_usd", "budget_usd")
_DAY_S = 86_400


class NoTerms(ValueError):
    """A field, which its text names, holds something that it cannot mean."""


def creation(form: Mapping[str, str], *, admin: bool) -> dict[str, Any]:
    """The body that makes a key; fields left empty are not in it. NoTerms."""
    body = {name: value for name, value in _terms(form).items() if value is not None}
    if form.get("name"):
        body["name"] = form["name"]
    if admin:
        if form.get("account"):
            body["account"] = form["account"]
        body["admin"] = form.get("admin") == "on"
    return body


def change(form: Mapping[str, str], key: Mapping[str, Any]) -> dict[str, Any]:
    """The body that changes `key`; fields left empty take a limit away. NoTerms."""
    body = _terms(form)
    if body["expires"] is not None and key["expires"] is not None and same_day(body["expires"], key["expires"]):
        # The form shows the day alone; the moment was somebody's choice.
        body["expires"] = key["expires"]
    if form.get("name"):
        body["name"] = form["name"]
    return body


def same_day(one: int, other: int) -> bool:
    return (one - 1) // _DAY_S == (other - 1) // _DAY_S


def _terms(form: Mapping[str, str]) -> dict[str, Any]:
    return {
        "expires": _end_of(form.get("expires", "")),
        "models": [name for name in form.get("models", "").replace(",", " ").split() if name] or None,
        **{name: _count(form.get(name, ""), name) for name in COUNTS},
        **{name: _dollars(form.get(name, ""), name) for name in BUDGETS},
    }


def _end_of(text: str) -> int | None:
    """The last moment of a day (UTC), as the first of the next."""
    if not text:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) + _DAY_S
    except (ValueError, OverflowError):
        raise NoTerms("expires") from None


def _count(text: str, name: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise NoTerms(name) from None


def _dollars(text: str, name: str) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        raise NoTerms(name) from None
    if found != found or found in (float("inf"), float("-inf")):
        raise NoTerms(name)
    return found
