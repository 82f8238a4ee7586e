"""`/v1/keys`: the caller's account's keys; an administrator's are everyone's."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from radixa.core.errors import Forbidden, InvalidRequest, NotFound, shown
from radixa.gateway.auth import Identity
from radixa.gateway.base import Parameter, Response, json_response, operation
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.request import Request
from radixa.gateway.routes.fields import Dollars, LimitsBody, Name, Seconds, actor, limits_of, nano_of
from radixa.gateway.routes.finding import named
from radixa.gateway.shapes.accounts import KeyShape, NewKeyShape
from radixa.gateway.shapes.base import Listed
from radixa.gateway.state import Gateway
from radixa.store.base import Account, Actor, ApiKey, Budgets, KeyTerms
from radixa.store.opening import open_account
from radixa.store.shapes import key_shape
from radixa.store.sql import SqlStore

Models = Annotated[list[Name], Meta(max_length=1000)]


class TermsBody(LimitsBody, frozen=True, kw_only=True):
    """What a key may do. In a change, what is absent stays, and null takes a limit away."""

    expires: Seconds | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    budget_day_usd: Dollars | UnsetType | None = UNSET
    budget_month_usd: Dollars | UnsetType | None = UNSET
    budget_usd: Dollars | UnsetType | None = UNSET
    force_include_usage: bool | UnsetType = UNSET


class KeyBody(TermsBody, frozen=True, kw_only=True):
    """A key to make. `account`: an id or a name, the caller's own where absent; another only for administrators."""

    name: Name = "key"
    account: Name | None = None
    admin: bool = False


class ChangeBody(TermsBody, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET


_QUERY = (Parameter("account", "For administrators: one account's, by its id or name."),)
_decode = BodyDecoder(KeyBody)
_decode_change = BodyDecoder(ChangeBody)


@operation(query=_QUERY, answer=Listed[KeyShape], errors=(404,))
async def index(gateway: Gateway, request: Request) -> Response:
    """Keys, oldest first; an administrator may ask for one `?account=`."""
    identity, wanted = request.identity, request.query().get("account")
    if not identity.admin:
        wanted = identity.account_id
    found, names = await asyncio.to_thread(_keys, gateway.store, wanted)
    return json_response({"object": "list", "data": [key_shape(key, names[key.account_id]) for key in found]})


@operation(body=(KeyBody,), body_required=False, answer=NewKeyShape, errors=(403, 409))
async def create(gateway: Gateway, request: Request) -> Response:
    """A new key. Its secret is in this answer and nowhere else."""
    if not gateway.config.server.auth:
        raise Forbidden(
            "This server asks for no keys (--no-auth), so it makes none: whoever reaches it would be given an "
            "administrator's. Use `radixa keys create` without --url, or start it without --no-auth."
        )
    body = await _decode.read(await request.body(gateway.config.server.max_body_bytes) or b"{}")
    terms = _terms(body, KeyTerms())
    key, account, secret = await asyncio.to_thread(_create, gateway, request.identity, body, terms, actor(request))
    return json_response(key_shape(key, account.name) | {"key": secret})


@operation(body=(ChangeBody,), answer=KeyShape, errors=(403, 404))
async def change(gateway: Gateway, request: Request) -> Response:
    """Another name or other terms, from the next request on."""
    body = await _decode_change.read(await request.body(gateway.config.server.max_body_bytes))
    key = await asyncio.to_thread(_target, gateway.store, request)
    _check_unrestricted(request.identity)
    terms, name = _terms(body, key.terms), key.name if body.name is UNSET else body.name
    key = await asyncio.to_thread(lambda: gateway.store.change_key(key.id, name, terms, by=actor(request)))
    return await _changed(gateway, key)


@operation(answer=KeyShape, errors=(400, 403, 404))
async def revoke(gateway: Gateway, request: Request) -> Response:
    """The key stops working at once."""
    key = await asyncio.to_thread(_target, gateway.store, request)
    if key.admin and await asyncio.to_thread(_last_administrator, gateway.store, key.id):
        raise InvalidRequest(
            f"'{key.id}' is the last administrator's key: make another one before revoking it.", param="id"
        )
    key = await asyncio.to_thread(lambda: gateway.store.revoke_key(key.id, by=actor(request)))
    return await _changed(gateway, key)


async def _changed(gateway: Gateway, key: ApiKey) -> Response:
    gateway.keys.forget(key.digest)
    account = await asyncio.to_thread(gateway.store.find_account, key.account_id)
    assert account is not None
    return json_response(key_shape(key, account.name))


def _keys(store: SqlStore, account: str | None) -> tuple[list[ApiKey], dict[str, str]]:
    """Keys, and their accounts' names by id."""
    if account is None:
        return store.keys(), {found.id: found.name for found in store.accounts()}
    found = named(store, account)
    return store.keys(found.id), {found.id: found.name}


def _target(store: SqlStore, request: Request) -> ApiKey:
    """The key that the path names. NotFound where the caller does not see it, Forbidden where it is above them."""
    identity, key_id = request.identity, request.argument
    visible = store.keys(None if identity.admin else identity.account_id)
    target = next((key for key in visible if key.id == key_id), None)
    if target is None:
        raise NotFound(f"There is no key '{shown(key_id)}'.", param="id")
    if target.admin and not identity.admin:
        raise Forbidden("Only an administrator's key changes or revokes one.", param="id")
    return target


def _create(
    gateway: Gateway, identity: Identity, body: KeyBody, terms: KeyTerms, by: Actor
) -> tuple[ApiKey, Account, str]:
    """A name that no account has makes a new account, for administrators; others are not told which names there are."""
    store = gateway.store
    account = store.find_account(body.account or identity.account_id)
    if not identity.admin and (body.admin or account is None or account.id != identity.account_id):
        field = "admin" if body.admin else "account"
        raise Forbidden("Only an administrator's key makes keys of other accounts, or administrators.", param=field)
    _check_unrestricted(identity)
    if account is None:
        account = open_account(store, gateway.config.accounts, body.account or identity.account_id, by=by)
    key, secret = store.create_key(account.id, body.name, admin=body.admin, terms=terms, by=by)
    return key, account, secret


def _check_unrestricted(identity: Identity) -> None:
    if not identity.makes_keys:
        raise Forbidden("A key that has limits, budgets, an expiry or a list of models makes and changes no keys.")


def _last_administrator(store: SqlStore, key_id: str) -> bool:
    """Whether `key_id` is the only administrator's key left."""
    known, now = store.keys(), time.time()
    return [key.id for key in known if key.admin and key.works(now)] == [key_id]


def _terms(body: TermsBody, before: KeyTerms) -> KeyTerms:
    """`before`, with what the body sets."""
    budgets = before.budgets
    return KeyTerms(
        expires=before.expires if body.expires is UNSET else body.expires,
        models=before.models if body.models is UNSET else None if body.models is None else tuple(body.models),
        limits=limits_of(body, before.limits),
        budgets=Budgets(
            _money(body.budget_day_usd, budgets.day, "budget_day_usd"),
            _money(body.budget_month_usd, budgets.month, "budget_month_usd"),
            _money(body.budget_usd, budgets.total, "budget_usd"),
        ),
        force_include_usage=(
            before.force_include_usage if body.force_include_usage is UNSET else body.force_include_usage
        ),
    )


def _money(value: float | UnsetType | None, before: int | None, field: str) -> int | None:
    return before if value is UNSET else nano_of(value, field)
