"""Cache wishes: the fields of a body that steer the prefix cache (CONTRACT 3.1), and the one policy they come to.

Several may say how long a prompt is to be kept: our own field, OpenAI's retention and options, breakpoints of OpenAI's
and Anthropic's kind. The longest of them holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from radixa.core.base import CachePolicy
from radixa.gateway.errors import contradiction

Label = Annotated[str, Meta(min_length=1, max_length=512)]
"""A caller's own name for something: a salt, a key, a session."""

SECONDS = {"5m": 300, "30m": 1_800, "1h": 3_600, "12h": 43_200, "24h": 86_400}
"""The durations that OpenAI's and Anthropic's fields name."""


class Ephemeral(msgspec.Struct, frozen=True):
    """Anthropic's breakpoint, at the top of a body or on a content part. Without a `ttl` it means 5 minutes."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None

    @property
    def seconds(self) -> int:
        return SECONDS[self.ttl or "5m"]


class Breakpoint(msgspec.Struct, frozen=True):
    """OpenAI's breakpoint on a content part. Without a `ttl` it means 30 minutes."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None

    @property
    def seconds(self) -> int:
        return SECONDS[self.ttl or "30m"]


class CacheOptions(msgspec.Struct, frozen=True):
    """OpenAI's `prompt_cache_options`. Whatever the `mode`, a prompt is kept here in whole and may hit at any token."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


class CacheWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What any generating body may say about the cache."""

    prompt_cache: bool | None = None
    prefix_caching: bool | None = None
    cache_control: Literal["auto", "no-store", "no-cache"] | Ephemeral | None = None
    cache_ttl_seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None
    high_priority: bool | None = None
    pin: bool | None = None
    cache_salt: Label | None = None
    prompt_cache_key: Label | None = None
    session_id: Label | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    prompt_cache_options: CacheOptions | None = None


class Mark(NamedTuple):
    """A wish to be kept: the `field` that says so, and for how many `seconds`; None is a rank without an end."""

    field: str
    seconds: int | None


def cache_policy(wishes: CacheWishes, default: Literal["auto", "opt-in"], marks: Sequence[Mark] = ()) -> CachePolicy:
    """One policy out of all wishes. InvalidRequest where two of them contradict each other.

    `default` holds where nothing is said; `marks` are the breakpoints of the body's content parts.
    """
    on = _switch(wishes)
    control = wishes.cache_control
    if on is False and control == "auto":
        raise contradiction(
            "cache_control", "'cache_control': \"auto\" asks for the cache that 'prompt_cache' turns off."
        )
    if on and control == "no-cache":
        raise contradiction(
            "cache_control", "'cache_control': \"no-cache\" turns off the cache that 'prompt_cache' asks for."
        )
    marks = [*_marks(wishes), *marks]
    _check_kept(wishes, marks, on)
    if on is None:
        on = default == "auto" or control is not None or bool(marks)
    use = on and control != "no-cache"
    return CachePolicy(
        read=use,
        write=use and control != "no-store",
        ttl=max((mark.seconds for mark in marks if mark.seconds is not None), default=None),
        priority=bool(wishes.high_priority),
        pin=bool(wishes.pin),
        session=wishes.session_id or wishes.prompt_cache_key or "",
        key=wishes.prompt_cache_key or "",
    )


def _switch(wishes: CacheWishes) -> bool | None:
    """`prompt_cache` and `prefix_caching` are two names of one switch."""
    one, other = wishes.prompt_cache, wishes.prefix_caching
    if one is not None and other is not None and one is not other:
        raise contradiction(
            "prefix_caching", "'prompt_cache' and 'prefix_caching' are one switch: set one of them, or both the same."
        )
    return other if one is None else one


def _marks(wishes: CacheWishes) -> list[Mark]:
    """Every field at the top of a body that asks for its prompt to be kept."""
    found = []
    if wishes.cache_ttl_seconds is not None:
        found.append(Mark("cache_ttl_seconds", wishes.cache_ttl_seconds))
    if wishes.high_priority:
        found.append(Mark("high_priority", None))
    if wishes.pin:
        found.append(Mark("pin", None))
    if isinstance(wishes.cache_control, Ephemeral):
        found.append(Mark("cache_control", wishes.cache_control.seconds))
    if wishes.prompt_cache_retention == "24h":
        found.append(Mark("prompt_cache_retention", SECONDS["24h"]))
    if wishes.prompt_cache_options is not None and wishes.prompt_cache_options.ttl is not None:
        found.append(Mark("prompt_cache_options.ttl", SECONDS[wishes.prompt_cache_options.ttl]))
    return found


def _check_kept(wishes: CacheWishes, marks: list[Mark], on: bool | None) -> None:
    """InvalidRequest where something is to be kept that must not be stored."""
    if not marks:
        return
    refusal = None
    if wishes.cache_control in ("no-store", "no-cache"):
        refusal = f"'cache_control': \"{wishes.cache_control}\""
    elif on is False:
        refusal = f"'{'prefix_caching' if wishes.prompt_cache is None else 'prompt_cache'}': false"
    if refusal is not None:
        field = marks[0].field
        raise contradiction(field, f"'{field}' asks to keep what {refusal} says not to store: leave out one of them.")


def namespace(account_id: str, salt: str | None) -> str:
    """Whose entries a request may see: its account's, or those under its own salt alone.

    The salt goes in as a hash, so that it shows in no list of namespaces and cannot contain a `/`.
    """
    if salt is None:
        return account_id
    return f"{account_id}/{hashlib.sha256(salt.encode()).hexdigest()[:32]}"
