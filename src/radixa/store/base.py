"""What the gateway keeps in its database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Account:
    """Whoever is billed; its `id` is its cache namespace."""

    id: str
    name: str
    created: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret: `digest` is SHA-256 of the whole key, `hint` its last four characters."""

    id: str
    account_id: str
    name: str
    digest: str
    hint: str
    admin: bool
    created: int
    revoked: int | None = None


class Store(Protocol):
    """Accounts and keys. Methods are synchronous and quick; the gateway keeps a digest cache in front of them."""

    def create_account(self, name: str) -> Account:
        """InvalidRequest where the name is taken, could be an id, or cannot be kept."""
        ...

    def accounts(self) -> list[Account]:
        """Oldest first."""
        ...

    def find_account(self, id_or_name: str) -> Account | None:
        """One word means one account: no name begins as ids do."""
        ...

    def create_key(
        self, account_id: str, name: str, *, admin: bool = False, secret: str | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is never stored. `secret` sets it, for `RADIXA_API_KEY`."""
        ...

    def key_by_digest(self, digest: str) -> ApiKey | None:
        """The key, unless it was revoked."""
        ...

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        """Oldest first, the revoked among them."""
        ...

    def revoke_key(self, key_id: str) -> ApiKey:
        """The key as it is afterwards. NotFound where there is no such key."""
        ...

    def close(self) -> None: ...
