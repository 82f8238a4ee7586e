"""`/dashboard/api-keys`: keys made (shown once), named, limited, ended, revoked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from radixa.core.errors import NotFound, RadixaError, shown
from radixa.dashboard.base import Page, Visit, redirect
from radixa.dashboard.pages.key_form import NoTerms, change, creation
from radixa.gateway.base import Response
from radixa.gateway.routes import accounts, keys

PATH = "/dashboard/api-keys"


async def show(visit: Visit) -> Response:
    return await _page(visit)


async def create(visit: Visit) -> Response:
    """The page again, with the new key's secret, which is nowhere else; or with what was wrong with the form."""
    try:
        made = await visit.ask(keys.create, body=creation(visit.form, admin=visit.known.admin))
    except (NoTerms, RadixaError) as error:
        return await _page(visit, wrong=_said(visit, error), status=getattr(error, "status", 400))
    return await _page(visit, made=made)


async def edit(visit: Visit) -> Response:
    return _one(visit, await _key(visit))


async def save(visit: Visit) -> Response:
    key = await _key(visit)
    try:
        await visit.ask(keys.change, body=change(visit.form, key), argument=key["id"])
    except (NoTerms, RadixaError) as error:
        return _one(visit, key, wrong=_said(visit, error), status=getattr(error, "status", 400))
    return redirect(PATH)


async def revoke(visit: Visit) -> Response:
    key = await _key(visit)
    try:
        await visit.ask(keys.revoke, argument=key["id"])
    except RadixaError as error:
        return _one(visit, key, wrong=_said(visit, error), status=error.status)
    return redirect(PATH)


async def _page(visit: Visit, made: Any = None, wrong: str = "", status: int = 200) -> Response:
    found = (await visit.ask(keys.index))["data"]
    now = time.time()
    return visit.render(
        "keys.html",
        status=status,
        keys=sorted(found, key=lambda key: (_state(key, now) != "works", -key["created"])),
        states={key["id"]: _state(key, now) for key in found},
        accounts=(await visit.ask(accounts.index))["data"] if visit.known.admin else [],
        own_account=visit.known.account_id,
        may=visit.known.makes_keys and visit.gateway.config.server.auth,
        made=made,
        wrong=wrong,
        sent=visit.form if wrong else {},
    )


def _one(visit: Visit, key: dict[str, Any], wrong: str = "", status: int = 200) -> Response:
    return visit.render(
        "key.html",
        status=status,
        key=key,
        state=_state(key, time.time()),
        wrong=wrong,
        sent=visit.form if wrong else {},
        own=key["id"] == visit.known.key_id,
    )


async def _key(visit: Visit) -> dict[str, Any]:
    """The key that the path names, of those the visitor sees."""
    wanted = visit.request.argument
    for key in (await visit.ask(keys.index))["data"]:
        if key["id"] == wanted:
            return dict(key)
    raise NotFound(f"There is no key '{shown(wanted)}'.", param="id")


def _state(key: Mapping[str, Any], now: float) -> str:
    if key["revoked"] is not None:
        return "revoked"
    return "expired" if key["expires"] is not None and key["expires"] <= now else "works"


def _said(visit: Visit, error: Exception) -> str:
    if isinstance(error, NoTerms):
        return visit.word("keys.not_a_value", field=visit.word(f"keys.{error}"))
    return str(error)


PAGES = (
    Page(PATH, show, create, menu="menu.keys"),
    Page(PATH + "/{id}/revoke", post=revoke),
    Page(PATH + "/{id}", edit, save),
)
