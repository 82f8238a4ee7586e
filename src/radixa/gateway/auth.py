"""Whose request this is: API keys by their digest, remembered briefly so that no request waits for the database."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hmac import compare_digest

from radixa.core.errors import Forbidden, ModelNotFound, Unauthorized, shown
from radixa.store.base import NO_LIMITS, PLAIN, Credential, KeyTerms, Limits
from radixa.store.secrets import digest
from radixa.store.sql import SqlStore

_THREADS = 2
REMEMBER_S = 2.0
"""How long a key is believed without asking the store again: the longest that one revoked elsewhere still works."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, and what they may. `account_id` is also the cache namespace."""

    account_id: str
    key_id: str
    """Empty where no key was asked for."""
    admin: bool
    terms: KeyTerms = PLAIN
    """The key's own."""
    limits: Limits = NO_LIMITS
    """The account's."""
    allowance: int | None = None
    """Nano-dollars that the account may spend, what it has spent among them; None for any amount."""
    digest: str = field(default="", repr=False)
    """Of the key, by which it is looked up again; empty where no key was asked for."""

    @property
    def makes_keys(self) -> bool:
        """A key with limits could otherwise make one without, or lift its own."""
        return self.admin or not self.terms.restricted

    def check_admin(self) -> None:
        """Forbidden for everybody but administrators."""
        if not self.admin:
            raise Forbidden("Only an administrator's key may do this.")

    def may_use(self, model: str) -> bool:
        return self.terms.models is None or model in self.terms.models

    def check_model(self, model: str) -> None:
        """ModelNotFound where the key's list does not have it: for this key there is no such model."""
        if not self.may_use(model):
            raise ModelNotFound(f"The model `{shown(model)}` does not exist or you do not have access to it.")


class KeyRing:
    """Keys in front of the store. Only good keys are remembered, so it never holds more than there are."""

    def __init__(self, store: SqlStore, anyone: Identity | None = None) -> None:
        """`anyone`: whom every request is taken for, with a key or without (`--no-auth`)."""
        self._store = store
        self._anyone = anyone
        self._known: dict[str, tuple[Identity, float]] = {}
        # Its own threads, so that no key waits behind texts that are being put together in the shared ones.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="keys")
        self._changes = 0

    @property
    def anyone(self) -> Identity | None:
        """Whom every request is taken for, on a server without keys."""
        return self._anyone

    async def identify(self, authorization: bytes | None, x_api_key: bytes | None = None) -> Identity:
        """Whose key the `Authorization` or the `x-api-key` header carries. Unauthorized where there is none, not one
        of ours, one that no longer works, or two different ones."""
        if self._anyone is not None:
            return self._anyone
        secret = _secret(authorization, x_api_key)
        return await self.holder(digest(secret), _masked(secret))

    async def holder(self, found: str, masked: str) -> Identity:
        """Whose key has that digest; `masked` is how an error names it. Unauthorized where it is not one of ours, or
        no longer works."""
        known = self._known.get(found)
        if known is not None and time.monotonic() < known[1]:
            identity = known[0]
        else:
            identity = await self._ask(found, masked)
        expires = identity.terms.expires
        if expires is not None and time.time() >= expires:
            raise Unauthorized(f"This API key ({identity.key_id}) has expired. An administrator can give it more time.")
        return identity

    async def still(self, identity: Identity) -> Identity:
        """What somebody may who asked a while ago and is still being answered. Unauthorized where the key no longer
        works."""
        return await self.holder(identity.digest, "…") if identity.digest else identity

    async def _ask(self, found: str, masked: str) -> Identity:
        changes = self._changes
        credential = await asyncio.get_running_loop().run_in_executor(self._threads, self._store.credential, found)
        if credential is None or not compare_digest(credential.key.digest, found):
            self._known.pop(found, None)
            raise Unauthorized(
                f"Incorrect API key provided: {masked}. An administrator makes keys with `radixa keys create`."
            )
        if credential.key.revoked is not None:
            self._known.pop(found, None)
            raise Unauthorized(f"This API key ({credential.key.id}) has been revoked.")
        identity = _identity(credential)
        # What changed while the store was asked may have come too late for its answer.
        if changes == self._changes:
            self._known[found] = (identity, time.monotonic() + REMEMBER_S)
        return identity

    def forget(self, key_digest: str) -> None:
        """Ask the store again at this key's next request: it was revoked or changed."""
        self._changes += 1
        self._known.pop(key_digest, None)

    def forget_account(self, account_id: str) -> None:
        """The same for all keys of an account: its limits or its credits changed."""
        self._changes += 1
        for found in [key for key, (identity, _) in self._known.items() if identity.account_id == account_id]:
            del self._known[found]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _identity(credential: Credential) -> Identity:
    key, account = credential.key, credential.account
    allowance = None if account.credit_limit is None else account.credit_limit + credential.granted
    return Identity(account.id, key.id, key.admin, key.terms, account.limits, allowance, key.digest)


def _secret(authorization: bytes | None, x_api_key: bytes | None) -> str:
    """The one key that the headers carry."""
    if x_api_key is None:
        return _bearer(authorization)
    secret = x_api_key.decode("latin-1").strip()
    if not secret:
        raise Unauthorized("The x-api-key header is empty. Expected: x-api-key: rx-…")
    if authorization is not None and not compare_digest(_bearer(authorization).encode(), secret.encode()):
        raise Unauthorized("The Authorization and x-api-key headers carry two different keys. Expected one of them.")
    return secret


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
