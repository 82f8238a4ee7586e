"""Accounts, keys and credits as the API and `--json` show them: dollars as numbers, exact nano-dollars beside sums."""

from __future__ import annotations

from typing import Any

from radixa.core.money import usd
from radixa.store.base import Account, ApiKey, AuditEntry, Credit


def dollars(nano: int | None) -> float | None:
    return None if nano is None else float(usd(nano))


def key_shape(key: ApiKey, account: str) -> dict[str, Any]:
    """Everything but the digest; `account` is its account's name."""
    terms = key.terms
    return {
        "id": key.id,
        "object": "api_key",
        "name": key.name,
        "account_id": key.account_id,
        "account": account,
        "hint": key.hint,
        "admin": key.admin,
        "created": key.created,
        "revoked": key.revoked,
        "expires": terms.expires,
        "models": terms.models,
        "budget_day_usd": dollars(terms.budgets.day),
        "budget_month_usd": dollars(terms.budgets.month),
        "budget_usd": dollars(terms.budgets.total),
        "rpm": terms.limits.rpm,
        "tpm": terms.limits.tpm,
        "concurrency": terms.limits.concurrency,
        "force_include_usage": terms.force_include_usage,
    }


def account_shape(account: Account, granted: int) -> dict[str, Any]:
    """`credit_limit_usd` null: its credits do not limit what it spends."""
    return {
        "id": account.id,
        "object": "account",
        "name": account.name,
        "created": account.created,
        "rpm": account.limits.rpm,
        "tpm": account.limits.tpm,
        "concurrency": account.limits.concurrency,
        "credit_limit_usd": dollars(account.credit_limit),
        "granted_usd": dollars(granted),
        "granted_nano_usd": granted,
    }


def credit_shape(credit: Credit) -> dict[str, Any]:
    return {
        "id": credit.id,
        "object": "credit",
        "account_id": credit.account_id,
        "kind": credit.kind,
        "amount_usd": dollars(credit.amount),
        "amount_nano_usd": credit.amount,
        "created": credit.created,
        "note": credit.note,
    }


def audit_shape(entry: AuditEntry) -> dict[str, Any]:
    """Who, when, what, on whom, from which request."""
    return {
        "id": entry.id,
        "object": "audit.entry",
        "created": entry.created,
        "actor": {"account_id": entry.actor.account_id, "key_id": entry.actor.key_id},
        "request_id": entry.actor.request_id,
        "action": entry.action,
        "target": entry.target,
        "account_id": entry.account_id,
        "details": entry.details,
    }
