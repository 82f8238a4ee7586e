"""`/v1/usage`: what the caller's account used, row by row or in groups; any account's for administrators."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from msgspec import Meta

from radixa.core.errors import Forbidden, NotFound, shown
from radixa.gateway.auth import Identity
from radixa.gateway.base import Parameter, Response, json_response, operation
from radixa.gateway.ledger.report import EVERYONE, MOST, report, wanted
from radixa.gateway.request import Request
from radixa.gateway.routes.fields import Name
from radixa.gateway.shapes.usage import UsageShape
from radixa.gateway.state import Gateway
from radixa.store.ledger.base import GroupBy
from radixa.store.sql import SqlStore

_QUERY = (
    Parameter("since", "Seconds since 1970, or an ISO date or time."),
    Parameter("until", "The same; later than `since`."),
    Parameter("limit", "Rows on a page.", Annotated[int, Meta(ge=1, le=MOST)]),
    Parameter("before", "The `request_id` of the last row of the page before."),
    Parameter("group_by", "Sums in place of rows.", GroupBy),
    Parameter("include", "The keyed hashes of the prompts' blocks too.", Literal["blocks"]),
    Parameter("account", "For administrators: another one's, by its id or name, or `*` for all.", Name),
)


@operation(query=_QUERY, answer=UsageShape, errors=(403, 404))
async def index(gateway: Gateway, request: Request) -> Response:
    """Rows, newest first, or groups of them; and what all that was asked for adds up to."""
    wish = wanted(request.query())

    def answer() -> Response:
        account_id = _account(gateway.store, request.identity, wish.account)
        return json_response(report(gateway.ledger.store, wish, account_id))

    return await asyncio.to_thread(answer)


def _account(store: SqlStore, identity: Identity, named: str | None) -> str | None:
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
