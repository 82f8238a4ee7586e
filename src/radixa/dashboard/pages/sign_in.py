"""`/dashboard/sign-in`, by API key; and signing out."""

from __future__ import annotations

from radixa.core.errors import RadixaError, RateLimited, Unauthorized
from radixa.dashboard.base import SIGN_IN, Page, Visit, inside, redirect
from radixa.gateway.base import Response
from radixa.store.secrets import digest


async def show(visit: Visit) -> Response:
    if visit.identity is not None:
        return redirect(inside(visit.request.query().get("next", "")))
    return _page(visit, inside(visit.request.query().get("next", "")))


async def enter(visit: Visit) -> Response:
    """A key that works begins a session of its own; any other is answered like every other, and counted."""
    key, there = visit.form.get("key", ""), inside(visit.form.get("next", ""))
    tries, address = visit.site.tries, visit.request.address
    wait_ms = tries.look(address)
    if wait_ms:
        error = RateLimited(visit.word("sign_in.too_often"), kind="requests", retry_ms=wait_ms)
        return _page(visit, there, error)
    try:
        await visit.gateway.keys.identify(b"Bearer " + key.encode("latin-1", "replace"))
    except Unauthorized as error:
        tries.wait(address)
        return _page(visit, there, error)
    return redirect(there, visit.cookie(visit.site.sessions.begin(digest(key))))


async def leave(visit: Visit) -> Response:
    visit.site.sessions.end(visit.session)
    return redirect(SIGN_IN, visit.cookie(visit.site.sessions.begin()))


def _page(visit: Visit, there: str, error: RadixaError | None = None) -> Response:
    said = ""
    if error is not None:
        said = error.message if isinstance(error, RateLimited) else visit.word("sign_in.wrong")
    status, headers = (200, ()) if error is None else (error.status, error.headers)
    return visit.render("sign_in.html", status=status, headers=headers, there=there, wrong=said)


PAGES = (
    Page(SIGN_IN, show, enter, open=True),
    Page("/dashboard/sign-out", post=leave),
)
