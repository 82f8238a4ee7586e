"""`/v1/keys`: the caller's account's keys; an administrator's are everyone's."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from radixa.core.errors import Forbidden, InvalidRequest, NotFound
from radixa.gateway.auth import Identity
from radixa.gateway.base import Response, json_response
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.errors import shown
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway
from radixa.store.base import Account, ApiKey, Store

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class KeyBody(msgspec.Struct, frozen=True):
    """A key to make. `account`: an id or a name, the caller's own where absent; another only for administrators."""

    name: Name = "key"
    account: Name | None = None
    admin: bool = False


_decode = BodyDecoder(KeyBody)


async def index(gateway: Gateway, request: Request) -> Response:
    """Keys, oldest first; an administrator may ask for one `?account=`."""
    identity, wanted = request.identity, request.query().get("account")
    if not identity.admin:
        wanted = identity.account_id
    found, names = await asyncio.to_thread(_keys, gateway.store, wanted)
    return json_response({"object": "list", "data": [_body(key, names[key.account_id]) for key in found]})


async def create(gateway: Gateway, request: Request) -> Response:
    """A new key. Its secret is in this answer and nowhere else."""
    if not gateway.config.server.auth:
        raise Forbidden(
            "This server asks for no keys (--no-auth), so it makes none: whoever reaches it would be given an "
            "administrator's. Use `radixa keys create` without --url, or start it without --no-auth."
        )
    body = await _decode.read(await request.body(gateway.config.server.max_body_bytes) or b"{}")
    identity = request.identity
    key, account, secret = await asyncio.to_thread(_create, gateway.store, identity, body)
    return json_response(_body(key, account.name) | {"key": secret})


async def revoke(gateway: Gateway, request: Request) -> Response:
    """The key stops working at once."""
    identity, key_id = request.identity, request.argument
    visible = await asyncio.to_thread(gateway.store.keys, None if identity.admin else identity.account_id)
    target = next((key for key in visible if key.id == key_id), None)
    if target is None:
        raise NotFound(f"There is no key '{key_id}'.", param="id")
    if target.admin and not identity.admin:
        raise Forbidden("Only an administrator's key revokes one.", param="id")
    if _last_administrator(visible, key_id):
        raise InvalidRequest(
            f"'{key_id}' is the last administrator's key: make another one before revoking it.", param="id"
        )
    key = await asyncio.to_thread(gateway.store.revoke_key, key_id)
    gateway.keys.forget(key.digest)
    account = await asyncio.to_thread(gateway.store.find_account, key.account_id)
    assert account is not None
    return json_response(_body(key, account.name))


def _keys(store: Store, account: str | None) -> tuple[list[ApiKey], dict[str, str]]:
    """Keys, and their accounts' names by id."""
    if account is None:
        return store.keys(), {found.id: found.name for found in store.accounts()}
    found = store.find_account(account)
    if found is None:
        raise NotFound(f"There is no account '{shown(account)}'.", param="account")
    return store.keys(found.id), {found.id: found.name}


def _create(store: Store, identity: Identity, body: KeyBody) -> tuple[ApiKey, Account, str]:
    """A name that no account has makes a new account, for administrators; others are not told which names there are."""
    account = store.find_account(body.account or identity.account_id)
    if not identity.admin and (body.admin or account is None or account.id != identity.account_id):
        field = "admin" if body.admin else "account"
        raise Forbidden("Only an administrator's key makes keys of other accounts, or administrators.", param=field)
    if account is None:
        account = store.create_account(body.account or identity.account_id)
    key, secret = store.create_key(account.id, body.name, admin=body.admin)
    return key, account, secret


def _last_administrator(keys: list[ApiKey], key_id: str) -> bool:
    """Whether `key_id` is the only administrator's key left among `keys`, which an administrator sees all of."""
    return [key.id for key in keys if key.admin and key.revoked is None] == [key_id]


def _body(key: ApiKey, account: str) -> dict[str, Any]:
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
    }
