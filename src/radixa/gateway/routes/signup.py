"""`POST /v1/signup`: an account of one's own with its first key, where the operator lets anyone open one."""

from __future__ import annotations

import asyncio
import secrets

import msgspec

from radixa.core.errors import Forbidden, RateLimited
from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.request import Request
from radixa.gateway.routes.fields import Name
from radixa.gateway.shapes.accounts import SignupShape
from radixa.gateway.state import Gateway
from radixa.store.base import Account, Actor, ApiKey
from radixa.store.opening import open_account
from radixa.store.shapes import account_shape, key_shape


class SignupBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`name`: of the account; a random one where absent."""

    name: Name | None = None


_decode = BodyDecoder(SignupBody)


@operation(body=(SignupBody,), body_required=False, answer=SignupShape, errors=(403, 409, 429))
async def create(gateway: Gateway, request: Request) -> Response:
    """The account, and the secret of its key, which is in this answer and nowhere else."""
    if not gateway.config.accounts.self_signup:
        raise Forbidden(
            "This server lets nobody open an account by themselves: ask its administrator for a key "
            "(`[accounts] self_signup = true` would allow it).",
            code="signup_disabled",
        )
    if not gateway.config.server.auth:
        raise Forbidden("This server asks for no keys (--no-auth), so there is nothing to sign up for.")
    ms = gateway.signups.wait(request.address)
    if ms:
        raise RateLimited(
            "Too many accounts were opened from your address. Please try again in a minute.",
            kind="requests",
            retry_ms=ms,
        )
    body = await _decode.read(await request.body(gateway.config.server.max_body_bytes) or b"{}")
    account, key, secret, granted = await asyncio.to_thread(_open, gateway, body, request.id)
    return json_response(
        {
            "object": "signup",
            "account": account_shape(account, granted),
            "api_key": key_shape(key, account.name),
            "key": secret,
        }
    )


def _open(gateway: Gateway, body: SignupBody, request_id: str) -> tuple[Account, ApiKey, str, int]:
    by = Actor(request_id=request_id)
    name = body.name or f"signup-{secrets.token_hex(6)}"
    account = open_account(gateway.store, gateway.config.accounts, name, by=by)
    key, secret = gateway.store.create_key(account.id, "first key", by=by)
    return account, key, secret, gateway.store.granted(account.id).get(account.id, 0)
