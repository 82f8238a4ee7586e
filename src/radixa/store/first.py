"""The first account and its administrator's key: what a new installation begins with."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from radixa.core.errors import ConfigError
from radixa.store.base import Account
from radixa.store.secrets import digest

if TYPE_CHECKING:
    from radixa.store.sql import SqlStore

_LEAST_KEY = 16
"""Characters of a key that somebody else made: fewer cannot be the 128 bits that make a plain hash safe."""


def has_administrator(store: SqlStore) -> bool:
    """Whether any key can still manage the others."""
    known, now = store.keys(), time.time()
    return any(key.admin and key.works(now) for key in known)


def ensure_first_key(store: SqlStore) -> str | None:
    """Where no administrator's key works, make one, of the first account; returns its secret if it was generated.

    `RADIXA_API_KEY`, where it is set and not empty, is that key instead: ConfigError where it cannot be. On later
    starts nothing happens.
    """
    if has_administrator(store):
        return None
    given = os.environ.get("RADIXA_API_KEY") or None
    if given is not None:
        _check_given(store, given)
    account = ensure_first_account(store)
    _, secret = store.create_key(account.id, "first key", admin=True, secret=given)
    return secret if given is None else None


def ignored_first_key(store: SqlStore) -> str | None:
    """A warning where `RADIXA_API_KEY` is set and opens nothing, since the first key was made without it."""
    given = os.environ.get("RADIXA_API_KEY") or None
    if given is None:
        return None
    known = store.credential(digest(given))
    if known is not None and known.key.revoked is None:
        return None
    return (
        "RADIXA_API_KEY is none of this server's keys and is not made one: it becomes the first key only where no "
        "administrator's key works yet. `radixa keys list` shows those that do."
    )


def ensure_first_account(store: SqlStore) -> Account:
    """The oldest account, made where there is none: the administrator's, and everyone's under `--no-auth`."""
    existing = store.accounts()
    return existing[0] if existing else store.create_account("default")


def _check_given(store: SqlStore, secret: str) -> None:
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ConfigError("RADIXA_API_KEY: expected printable ASCII characters without spaces, it travels in a header")
    if len(secret) < _LEAST_KEY:
        raise ConfigError(
            f"RADIXA_API_KEY: {len(secret)} characters can be guessed; the first key needs at least {_LEAST_KEY}, such "
            "as rx- and what `openssl rand -hex 16` prints"
        )
    known = store.credential(digest(secret))
    if known is not None:
        state = "is revoked" if known.key.revoked is not None else "is not an administrator's"
        raise ConfigError(f"RADIXA_API_KEY: the first key must be a new one, and this one ({known.key.id}) {state}")
