"""`/v1/accounts`: who is billed, and what limits them. For administrators."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import UNSET, UnsetType

from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.request import Request
from radixa.gateway.routes import credits as credit_routes
from radixa.gateway.routes.fields import Count, Dollars, LimitsBody, Name, actor, limits_of, nano_of
from radixa.gateway.routes.finding import named
from radixa.gateway.shapes.accounts import AccountShape, AddedCreditShape, CreditShape
from radixa.gateway.shapes.base import Listed
from radixa.gateway.state import Gateway
from radixa.store.base import Account, Limits
from radixa.store.opening import open_account
from radixa.store.shapes import account_shape


class AccountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to open. `credit_limit_usd`: how much more than its credits it may spend, null for any amount."""

    name: Name
    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Count | None = None
    credit_limit_usd: Dollars | None = 0.0


class ChangeBody(LimitsBody, frozen=True):
    credit_limit_usd: Dollars | UnsetType | None = UNSET


_decode = BodyDecoder(AccountBody)
_decode_change = BodyDecoder(ChangeBody)


@operation(answer=Listed[AccountShape])
async def index(gateway: Gateway, request: Request) -> Response:
    """Every account, oldest first."""
    found, granted = await asyncio.to_thread(lambda: (gateway.store.accounts(), gateway.store.granted()))
    data = [account_shape(account, granted.get(account.id, 0)) for account in found]
    return json_response({"object": "list", "data": data})


@operation(body=(AccountBody,), answer=AccountShape, errors=(409,))
async def create(gateway: Gateway, request: Request) -> Response:
    """A new account with its free credits; it has no key yet."""
    body = await _decode.read(await request.body(gateway.config.server.max_body_bytes))
    limits = Limits(body.rpm, body.tpm, body.concurrency)
    credit_limit = nano_of(body.credit_limit_usd, "credit_limit_usd")
    account = await asyncio.to_thread(
        lambda: open_account(
            gateway.store, gateway.config.accounts, body.name,
            limits=limits, credit_limit=credit_limit, by=actor(request),
        )
    )  # fmt: skip
    return await _answer(gateway, account)


@operation(answer=AccountShape, errors=(404,))
async def show(gateway: Gateway, request: Request) -> Response:
    """One account, by its id or its name."""
    return await _answer(gateway, await asyncio.to_thread(named, gateway.store, request.argument))


@operation(body=(ChangeBody,), answer=AccountShape, errors=(404,))
async def change(gateway: Gateway, request: Request) -> Response:
    """Other limits, from the next request on."""
    body = await _decode_change.read(await request.body(gateway.config.server.max_body_bytes))
    account = await asyncio.to_thread(named, gateway.store, request.argument)
    limits = limits_of(body, account.limits)
    credit_limit = account.credit_limit
    if body.credit_limit_usd is not UNSET:
        credit_limit = nano_of(body.credit_limit_usd, "credit_limit_usd")
    by = actor(request)
    account = await asyncio.to_thread(lambda: gateway.store.change_account(account.id, limits, credit_limit, by=by))
    gateway.keys.forget_account(account.id)
    return await _answer(gateway, account)


@operation(answer=Listed[CreditShape], errors=(404,))
async def entries(gateway: Gateway, request: Request) -> Response:
    """Every entry of an account's credits, oldest first."""
    account = await asyncio.to_thread(named, gateway.store, request.argument)
    return await credit_routes.entries(gateway, account)


@operation(body=(credit_routes.CreditBody,), answer=AddedCreditShape, errors=(404, 409))
async def top_up(gateway: Gateway, request: Request) -> Response:
    """Add an entry, once for each idempotency key, which comes in the `Idempotency-Key` header or in the body."""
    account = await asyncio.to_thread(named, gateway.store, request.argument)
    return await credit_routes.top_up(gateway, request, account)


async def _answer(gateway: Gateway, account: Account) -> Response:
    granted = await asyncio.to_thread(gateway.store.granted, account.id)
    return json_response(account_shape(account, granted.get(account.id, 0)))
