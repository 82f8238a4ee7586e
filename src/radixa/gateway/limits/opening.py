"""Which limiter a database takes."""

from __future__ import annotations

from radixa.core.errors import ConfigError
from radixa.gateway.limits.base import Limiter
from radixa.gateway.limits.local import LocalLimiter
from radixa.gateway.limits.shared import SharedLimiter
from radixa.gateway.limits.spending import Spending
from radixa.store.sql import SqlStore


def limiter_for(store: SqlStore, spending: Spending) -> Limiter:
    """One that is this process's own where the database is (SQLite), else one that all over the database share.

    The caller starts it, after the ledger was replayed. ConfigError for a database that neither knows how to use.
    """
    kind = store.engine.dialect.name
    if kind == "sqlite":
        return LocalLimiter(store.engine, spending)
    if kind == "postgresql":
        return SharedLimiter(store.engine, spending)
    raise ConfigError(f"store.url: limits cannot be kept in {kind}: expected sqlite:///… or postgresql://…")
