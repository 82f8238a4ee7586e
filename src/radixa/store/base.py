"""What the gateway keeps in its database.

Times are Unix seconds, amounts of money integer nano-dollars. `None` is "no limit" wherever a limit could stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

CreditKind = Literal["grant", "top_up", "correction"]
"""What a new account begins with; what was paid; what puts right an earlier entry, and alone may be negative."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests and tokens a minute, and requests that may run at once."""

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Budgets:
    """What one key may spend in a day and in a month (UTC), and in all."""

    day: int | None = None
    month: int | None = None
    total: int | None = None


NO_BUDGETS = Budgets()


@dataclass(frozen=True, slots=True)
class Account:
    """Whoever is billed; its `id` is its cache namespace."""

    id: str
    name: str
    created: int
    """Seconds since 1970."""
    limits: Limits = NO_LIMITS
    credit_limit: int | None = None
    """How much more than its credits it may spend: 0 for one that pays first, None for one that they do not limit."""


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do, and for how long."""

    expires: int | None = None
    """From this second on it is refused."""
    models: tuple[str, ...] | None = None
    """The only models there are for it."""
    limits: Limits = NO_LIMITS
    budgets: Budgets = NO_BUDGETS
    force_include_usage: bool = False
    """Every stream says its usage, asked or not."""

    @property
    def restricted(self) -> bool:
        """Whether it may do less than its account."""
        return (self.expires, self.models, self.limits, self.budgets) != (None, None, NO_LIMITS, NO_BUDGETS)


PLAIN = KeyTerms()


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
    terms: KeyTerms = PLAIN

    def works(self, now: float) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked is None and (self.terms.expires is None or now < self.terms.expires)


@dataclass(frozen=True, slots=True)
class Credential:
    """All that a request's key says about it; `granted` is the sum of its account's credits."""

    key: ApiKey
    account: Account
    granted: int


@dataclass(frozen=True, slots=True)
class Credit:
    """One entry of an account's credits. Entries are added and never changed."""

    id: str
    account_id: str
    kind: CreditKind
    amount: int
    created: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does an administrative act: a key of an account, in which request. Empty where it was not one over HTTP."""

    account_id: str = ""
    key_id: str = ""
    request_id: str = ""


LOCAL = Actor()
"""The command line, or the server itself."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One administrative act. `details` never holds a secret."""

    id: str
    created: int
    actor: Actor
    action: str
    """Such as `key.create`."""
    target: str
    """The id of what it was done to."""
    account_id: str
    """The account that `target` is, or belongs to."""
    details: dict[str, Any]


class Store(Protocol):
    """Accounts, keys, credits and what was done to them. Methods are synchronous, for threads; `by` is who acts, and
    each act is in the audit log in the same transaction."""

    def create_account(
        self,
        name: str,
        *,
        limits: Limits = NO_LIMITS,
        credit_limit: int | None = None,
        free_credits: int = 0,
        by: Actor = LOCAL,
    ) -> Account:
        """InvalidRequest where the name is taken, could be an id, or cannot be kept."""
        ...

    def change_account(
        self, account_id: str, limits: Limits, credit_limit: int | None, *, by: Actor = LOCAL
    ) -> Account:
        """The account as it is afterwards. NotFound where there is none."""
        ...

    def accounts(self) -> list[Account]:
        """Oldest first."""
        ...

    def find_account(self, id_or_name: str) -> Account | None:
        """One word means one account: no name begins as ids do."""
        ...

    def add_credit(
        self,
        account_id: str,
        amount: int,
        *,
        kind: CreditKind = "top_up",
        note: str = "",
        idempotency_key: str | None = None,
        by: Actor = LOCAL,
    ) -> tuple[Credit, bool]:
        """The entry, and whether it is new: one `idempotency_key` of an account adds once.

        NotFound where there is no such account, Conflict where that key has added something else.
        """
        ...

    def credits(self, account_id: str) -> list[Credit]:
        """Oldest first."""
        ...

    def granted(self, account_id: str | None = None) -> dict[str, int]:
        """The sum of the credits of each account that has any, or of one."""
        ...

    def create_key(
        self,
        account_id: str,
        name: str,
        *,
        admin: bool = False,
        secret: str | None = None,
        terms: KeyTerms = PLAIN,
        by: Actor = LOCAL,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which is never stored. `secret` sets it, for `RADIXA_API_KEY`."""
        ...

    def change_key(self, key_id: str, name: str, terms: KeyTerms, *, by: Actor = LOCAL) -> ApiKey:
        """The key as it is afterwards. NotFound where there is none."""
        ...

    def credential(self, digest: str) -> Credential | None:
        """The key with its account, also where it is revoked or expired."""
        ...

    def keys(self, account_id: str | None = None) -> list[ApiKey]:
        """Oldest first, the revoked among them."""
        ...

    def revoke_key(self, key_id: str, *, by: Actor = LOCAL) -> ApiKey:
        """The key as it is afterwards. NotFound where there is no such key."""
        ...

    def audit(self, *, limit: int = 100, before: str | None = None, account_id: str | None = None) -> list[AuditEntry]:
        """Newest first; `before` is the id of the last entry seen."""
        ...

    def close(self) -> None: ...
