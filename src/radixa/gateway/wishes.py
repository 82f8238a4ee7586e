"""Cache wishes: the fields of a body that steer the prefix cache (CONTRACT 3.1), and the one policy they come to.

Every wish is checked for type and range. On, off and no-store act on the embedded engine today; those about retention
(how long, how dear) are accepted and do not rank anything yet.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import CachePolicy
from radixa.gateway.errors import contradiction

Label = Annotated[str, Meta(min_length=1, max_length=512)]
"""A caller's own name for something: a salt, a key, a session."""


class Ephemeral(msgspec.Struct, frozen=True):
    """Anthropic's breakpoint, at the top of a body or on a content part."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class Breakpoint(msgspec.Struct, frozen=True):
    """OpenAI's breakpoint on a content part."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class CacheOptions(msgspec.Struct, frozen=True):
    """OpenAI's `prompt_cache_options`."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


class CacheWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What any generating body may say about the cache."""

    prompt_cache: bool | None = None
    prefix_caching: bool | None = None
    cache_control: Literal["auto", "no-store", "no-cache"] | Ephemeral | None = None
    cache_ttl_seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None
    high_priority: bool | None = None
    cache_salt: Label | None = None
    prompt_cache_key: Label | None = None
    session_id: Label | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    prompt_cache_options: CacheOptions | None = None


def cache_policy(wishes: CacheWishes, default: Literal["auto", "opt-in"], *, asked: bool = False) -> CachePolicy:
    """One policy out of all wishes. InvalidRequest where two of them contradict each other.

    `default` holds where nothing is said; `asked`: a content part carries a breakpoint, which says something.
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
    if on is None:
        on = default == "auto" or asked or _asks(wishes)
    use = on and control != "no-cache"
    return CachePolicy(read=use, write=use and control != "no-store")


def _switch(wishes: CacheWishes) -> bool | None:
    """`prompt_cache` and `prefix_caching` are two names of one switch."""
    one, other = wishes.prompt_cache, wishes.prefix_caching
    if one is not None and other is not None and one is not other:
        raise contradiction(
            "prefix_caching", "'prompt_cache' and 'prefix_caching' are one switch: set one of them, or both the same."
        )
    return other if one is None else one


def _asks(wishes: CacheWishes) -> bool:
    """Whether a body asks for the cache without using the switch, which is enough where it is opt-in."""
    return wishes.cache_control is not None or wishes.cache_ttl_seconds is not None or wishes.high_priority is True


def namespace(account_id: str, salt: str | None) -> str:
    """Whose entries a request may see: its account's, or those under its own salt alone.

    The salt goes in as a hash, so that it shows in no list of namespaces and cannot contain a `/`.
    """
    if salt is None:
        return account_id
    return f"{account_id}/{hashlib.sha256(salt.encode()).hexdigest()[:32]}"
