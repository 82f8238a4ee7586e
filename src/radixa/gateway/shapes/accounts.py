"""Keys, accounts, credits and limits as the API tells them. Dollars are numbers, sums exact in nano-dollars too."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from radixa.store.base import CreditKind


class KeyShape(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret; null is no limit."""

    id: str
    object: Literal["api_key"]
    name: str
    account_id: str
    account: str
    hint: str
    admin: bool
    created: int
    revoked: int | None
    expires: int | None
    models: list[str] | None
    budget_day_usd: float | None
    budget_month_usd: float | None
    budget_usd: float | None
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    force_include_usage: bool


class NewKeyShape(KeyShape, frozen=True, kw_only=True):
    """A new key with its secret, which is told this once."""

    key: str


class AccountShape(msgspec.Struct, frozen=True, kw_only=True):
    """Null is no limit."""

    id: str
    object: Literal["account"]
    name: str
    created: int
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    credit_limit_usd: float | None
    granted_usd: float
    granted_nano_usd: int


class SignupShape(msgspec.Struct, frozen=True, kw_only=True):
    """A new account and its key; `key` is the secret, which is told this once."""

    object: Literal["signup"]
    account: AccountShape
    api_key: KeyShape
    key: str


class CreditShape(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    object: Literal["credit"]
    account_id: str
    kind: CreditKind
    amount_usd: float
    amount_nano_usd: int
    created: int
    note: str


class AddedCreditShape(CreditShape, frozen=True, kw_only=True):
    """`added` is false where the idempotency key was used before."""

    added: bool


class CreditsShape(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may still spend; `left` is null where its credits do not limit it."""

    object: Literal["credits"]
    account_id: str
    credit_limit_usd: float | None
    granted_usd: float
    spent_usd: float
    reserved_usd: float
    left_usd: float | None
    granted_nano_usd: int
    spent_nano_usd: int
    reserved_nano_usd: int
    left_nano_usd: int | None


class WindowShape(msgspec.Struct, frozen=True):
    """Of a minute's limit; `reset_ms` is how long until all of it is there again."""

    limit: int
    used: int
    remaining: int
    reset_ms: int


class RunningShape(msgspec.Struct, frozen=True):
    """Requests that may run at once."""

    limit: int
    used: int
    remaining: int


class RateLimitShape(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["rate_limit"]
    scope: Literal["account", "key", "model"]
    model: str | None
    requests: WindowShape | None
    tokens: WindowShape | None
    concurrency: RunningShape | None


class ActorShape(msgspec.Struct, frozen=True):
    account_id: str
    key_id: str


class AuditShape(msgspec.Struct, frozen=True, kw_only=True):
    """An administrative act; `details` never holds a secret."""

    id: str
    object: Literal["audit.entry"]
    created: int
    actor: ActorShape
    request_id: str
    action: str
    target: str
    account_id: str
    details: dict[str, Any]
