"""What the gateway keeps in its database.

Times are Unix seconds, amounts of money integer nano-dollars. `None` is "no limit" wherever a limit could stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

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
