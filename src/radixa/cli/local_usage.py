"""Usage without a server: the database itself, in the shape of the server's answer."""

from __future__ import annotations

from typing import Any

from radixa.core.errors import NotFound


def report(wish: dict[str, str]) -> dict[str, Any]:
    """Of all accounts, or of the one that `wish` names. Rows that a server which was killed had only in its file are
    added first, as the next start would."""
    from radixa.core.loading import load
    from radixa.core.paths import paths
    from radixa.gateway.ledger.emptying import recover
    from radixa.gateway.ledger.report import EVERYONE, wanted
    from radixa.gateway.ledger.report import report as of
    from radixa.store.ledger.sql import SqlLedger
    from radixa.store.sql import open_store

    asked = wanted(wish)
    store = open_store(load().config.store)
    try:
        account_id = None
        if asked.account not in (None, EVERYONE):
            account = store.find_account(asked.account)
            if account is None:
                raise NotFound(f"There is no account '{asked.account}'.", param="account")
            account_id = account.id
        ledger = SqlLedger(store.engine)
        recover(ledger, paths().data / "ledger")
        return of(ledger, asked, account_id)
    finally:
        store.close()
