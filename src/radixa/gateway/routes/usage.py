"""`/v1/usage`: what the caller's account used, row by row or in groups; any account's for administrators."""

from __future__ import annotations

import asyncio

from radixa.core.errors import Forbidden, NotFound, shown
from radixa.gateway.auth import Identity
from radixa.gateway.base import Response, json_response
from radixa.gateway.ledger.report import report, wanted
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway
from radixa.store.base import Store

EVERYONE = "*"


async def index(gateway: Gateway, request: Request) -> Response:
    """Rows, newest first, or groups of them; and what all that was asked for adds up to.

    `since`, `until`: seconds since 1970 or ISO dates; `limit`; `before`: the id of the last row of the page before;
    `group_by`; `include=blocks`: the keyed hashes of the prompts' blocks too; `account`: another one's, or `*` for all.
    """
    wish = wanted(request.query())

    def answer() -> Response:
        account_id = _account(gateway.store, request.identity, wish.account)
        return json_response(report(gateway.ledger.store, wish, account_id))

    return await asyncio.to_thread(answer)


def _account(store: Store, identity: Identity, named: str | None) -> str | None:
    """The id of the account that is asked about, None for all of them."""
    if named is None or named == identity.account_id:
        return identity.account_id
    if identity.admin and named == EVERYONE:
        return None
    account = None if named == EVERYONE else store.find_account(named)
    if account is not None and (identity.admin or account.id == identity.account_id):
        return account.id
    if not identity.admin:
        raise Forbidden("Only an administrator's key sees the usage of other accounts.", param="account")
    raise NotFound(f"There is no account '{shown(named)}'.", param="account")
