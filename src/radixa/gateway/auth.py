"""Whose request this is: API keys by their digest, remembered briefly so that no request waits for the database."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from radixa.core.errors import Unauthorized
from radixa.store.base import Store
from radixa.store.secrets import digest

_THREADS = 2
REMEMBER_S = 2.0
"""How long a key is believed without asking the store again: the longest that one revoked elsewhere still works."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking. `account_id` is also the cache namespace."""

    account_id: str
    key_id: str
    admin: bool


class KeyRing:
    """Keys in front of the store. Only good keys are remembered, so it never holds more than there are."""

    def __init__(self, store: Store, anyone: Identity | None = None) -> None:
        """`anyone`: whom every request is taken for, with a key or without (`--no-auth`)."""
        self._store = store
        self._anyone = anyone
        self._known: dict[str, tuple[Identity, float]] = {}
        # Its own threads, so that no key waits behind texts that are being put together in the shared ones.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")

    async def identify(self, authorization: bytes | None) -> Identity:
        """Whose key the `Authorization` header carries. Unauthorized where there is none, or not one of ours."""
        if self._anyone is not None:
            return self._anyone
        secret = _bearer(authorization)
        found = digest(secret)
        known = self._known.get(found)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        key = await asyncio.get_running_loop().run_in_executor(self._threads, self._store.key_by_digest, found)
        if key is None:
            self._known.pop(found, None)
            raise Unauthorized(
                f"Incorrect API key provided: {_masked(secret)}. An administrator makes keys with `radixa keys create`."
            )
        identity = Identity(key.account_id, key.id, key.admin)
        self._known[found] = (identity, time.monotonic() + REMEMBER_S)
        return identity

    def forget(self, key_digest: str) -> None:
        """Ask the store again at this key's next request: it was revoked."""
        self._known.pop(key_digest, None)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _bearer(authorization: bytes | None) -> str:
    if authorization is None:
        raise Unauthorized("You didn't provide an API key. Send one in a header: Authorization: Bearer rx-…")
    scheme, _, secret = authorization.decode("latin-1").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized("The Authorization header is not one we read. Expected: Authorization: Bearer rx-…")
    return secret.strip()


def _masked(secret: str) -> str:
    """Enough of a key to tell which one was sent, too little to use it."""
    return f"{secret[:3]}…{secret[-4:]}" if len(secret) >= 16 else f"{secret[:3]}…"
