"""`/dashboard/sign-up`: an account of one's own, where the operator lets anyone open one."""

from __future__ import annotations

from radixa.core.errors import RadixaError
from radixa.dashboard.asking import ask
from radixa.dashboard.base import Page, Visit
from radixa.gateway.base import Response
from radixa.gateway.routes import signup
from radixa.store.secrets import digest


async def show(visit: Visit) -> Response:
    return _page(visit)


async def open_account(visit: Visit) -> Response:
    """The new key, shown this once, and its holder signed in."""
    name = visit.form.get("name")
    try:
        made = await ask(visit.gateway, visit.request, None, signup.create, body={"name": name} if name else {})
    except RadixaError as error:
        return _page(visit, wrong=str(error), status=error.status)
    visit.session = visit.site.sessions.begin(digest(made["key"]))
    return visit.render("signed_up.html", made=made)


def _page(visit: Visit, wrong: str = "", status: int = 200) -> Response:
    return visit.render("sign_up.html", status=status, wrong=wrong, sent=visit.form)


PAGES = (Page("/dashboard/sign-up", show, open_account, open=True),)
