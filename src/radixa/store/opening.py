"""A new account, as the configuration has them begin."""

from __future__ import annotations

from radixa.core.config import AccountsConfig
from radixa.core.errors import ConfigError
from radixa.core.money import nano
from radixa.store.base import LOCAL, NO_LIMITS, Account, Actor, Limits
from radixa.store.sql import SqlStore


def open_account(
    store: SqlStore,
    config: AccountsConfig,
    name: str,
    *,
    limits: Limits = NO_LIMITS,
    credit_limit: int | None = 0,
    by: Actor = LOCAL,
) -> Account:
    """One that pays before it spends, with its free credits. InvalidRequest where the name cannot be."""
    free = nano(config.free_credits_usd)
    if free is None:
        raise ConfigError(
            f"accounts.free_credits_usd = {config.free_credits_usd}: expected dollars with at most nine decimals"
        )
    return store.create_account(name, limits=limits, credit_limit=credit_limit, free_credits=free, by=by)
