"""`/v1/credits`: what the caller's account may still spend; and entries that are added to an account's credits."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.errors import InvalidRequest
from radixa.gateway.base import Parameter, Response, json_response, operation
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.request import Request
from radixa.gateway.routes.fields import Amount, Name, actor, nano_of
from radixa.gateway.routes.finding import named
from radixa.gateway.shapes.accounts import CreditsShape
from radixa.gateway.state import Gateway
from radixa.store.base import Account
from radixa.store.shapes import credit_shape, dollars


class CreditBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry to add. Sent again with the same `idempotency_key`, it is added once."""

    amount_usd: Amount
    kind: Literal["top_up", "correction"] = "top_up"
    note: Annotated[str, Meta(max_length=200)] = ""
    idempotency_key: Name | None = None


_QUERY = (Parameter("account", "For administrators: another one's, by its id or name."),)
_decode = BodyDecoder(CreditBody)


@operation(query=_QUERY, answer=CreditsShape, errors=(404,))
async def show(gateway: Gateway, request: Request) -> Response:
    """Granted, spent, reserved, left. An administrator may ask for one `?account=`; `left` is null without a limit."""
    identity = request.identity
    name = request.query().get("account", identity.account_id) if identity.admin else identity.account_id
    account = await asyncio.to_thread(named, gateway.store, name)
    granted = (await asyncio.to_thread(gateway.store.granted, account.id)).get(account.id, 0)
    spent = await gateway.limiter.spent(account.id)
    left = None
    if account.credit_limit is not None:
        left = granted + account.credit_limit - spent.total - spent.held
    figures = {"granted": granted, "spent": spent.total, "reserved": spent.held, "left": left}
    return json_response(
        {
            "object": "credits",
            "account_id": account.id,
            "credit_limit_usd": dollars(account.credit_limit),
            **{f"{name}_usd": dollars(value) for name, value in figures.items()},
            **{f"{name}_nano_usd": value for name, value in figures.items()},
        }
    )


async def entries(gateway: Gateway, account: Account) -> Response:
    """Every entry of an account, oldest first."""
    found = await asyncio.to_thread(gateway.store.credits, account.id)
    return json_response({"object": "list", "data": [credit_shape(credit) for credit in found]})


async def top_up(gateway: Gateway, request: Request, account: Account) -> Response:
    """Add an entry, once for each idempotency key, which comes in the `Idempotency-Key` header or in the body."""
    body = await _decode.read(await request.body(gateway.config.server.max_body_bytes))
    amount = nano_of(body.amount_usd, "amount_usd")
    assert amount is not None
    if amount == 0 or (amount < 0 and body.kind == "top_up"):
        raise InvalidRequest(
            f"Invalid 'amount_usd': {body.amount_usd}. Expected more than 0; a correction may be less.",
            param="amount_usd",
            code="invalid_value",
        )
    once = _idempotency_key(request, body)
    credit, new = await asyncio.to_thread(
        lambda: gateway.store.add_credit(
            account.id, amount, kind=body.kind, note=body.note, idempotency_key=once, by=actor(request)
        )
    )
    gateway.keys.forget_account(account.id)
    return json_response(credit_shape(credit) | {"added": new})


def _idempotency_key(request: Request, body: CreditBody) -> str | None:
    header = request.header(b"idempotency-key")
    given = header.decode("latin-1").strip() if header is not None else None
    if given and body.idempotency_key and given != body.idempotency_key:
        raise InvalidRequest(
            "The Idempotency-Key header and 'idempotency_key' differ. Expected one of them.",
            param="idempotency_key",
            code="invalid_value",
        )
    return given or body.idempotency_key
