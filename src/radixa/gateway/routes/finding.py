"""The account that a caller names."""

from __future__ import annotations

from radixa.core.errors import NotFound, shown
from radixa.store.base import Account
from radixa.store.sql import SqlStore


def named(store: SqlStore, id_or_name: str) -> Account:
    """NotFound where there is no such account."""
    found = store.find_account(id_or_name)
    if found is None:
        raise NotFound(f"There is no account '{shown(id_or_name)}'.", param="account")
    return found
