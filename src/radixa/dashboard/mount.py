"""The dashboard's routes, for the gateway to serve beside its own: `dashboard(gateway)`.

Every page goes through `_visited`: the session, who it is, the form's token, and errors as pages.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from radixa.core.errors import EngineUnavailable, Forbidden, InvalidRequest, NotFound, RadixaError, Unauthorized
from radixa.dashboard.assets import URL
from radixa.dashboard.base import HTML, SIGN_IN, Page, PageHandler, Visit, redirect
from radixa.dashboard.mode import theme
from radixa.dashboard.pages import PAGES
from radixa.dashboard.session import Session
from radixa.dashboard.site import Site
from radixa.dashboard.words import chosen
from radixa.gateway.auth import Identity
from radixa.gateway.base import EventStream, Handler, Operation, Response, Route, RouteTable
from radixa.gateway.errors import OPENAI_ERRORS, ErrorShape
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway

_MOST_BYTES = 100_000
"""Of a form."""
_FORM = b"application/x-www-form-urlencoded"


def dashboard(gateway: Gateway, pages: tuple[Page, ...] = PAGES) -> RouteTable:
    """The routes of all pages and files."""
    site = Site(gateway, pages)
    whole: dict[str, Route] = {}
    prefixes: list[tuple[str, str, Route]] = []
    for page in pages:
        route = _route(site, page)
        before, braces, after = page.path.partition("{id}")
        if braces:
            prefixes.append((before, after, route))
        else:
            whole[page.path] = route

    async def file(gateway: Gateway, request: Request) -> Response:
        return site.assets.response(request)

    prefixes.append((URL, "", Route(URL + "{name}", {"GET": Operation(file)}, open=True)))
    nowhere = _route(site, Page("/dashboard/{id}", _nowhere, open=True))
    return RouteTable(whole, (*prefixes, ("/dashboard/", "", nowhere)))


def _route(site: Site, page: Page) -> Route:
    methods = {"GET": page.show, "POST": page.post}
    operations = {
        method: Operation(_visited(site, page, handler)) for method, handler in methods.items() if handler is not None
    }
    return Route(page.path, operations, open=True, errors=OPENAI_ERRORS if page.api else _PLAIN, forms=True)


def _visited(site: Site, page: Page, handler: PageHandler) -> Handler:
    async def visited(gateway: Gateway, request: Request) -> Response | EventStream:
        session = site.sessions.of(request)
        language = chosen(request, site.languages)
        visit = Visit(site, gateway, request, page, session, None, language, theme(request))
        try:
            visit.identity = await _who(gateway, session)
            if visit.identity is not None:
                request.identity = visit.identity
            if gateway.stopping and not page.open:
                raise EngineUnavailable("The server is shutting down.")
            if visit.identity is None and not page.open:
                return _to_sign_in(visit)
            if request.method == "POST":
                await _check_form(visit)
            return await handler(visit)
        except RadixaError as error:
            if page.api:
                raise
            return site.failure(visit, error)

    return visited


async def _who(gateway: Gateway, session: Session) -> Identity | None:
    """Who is signed in. A key that no longer works is nobody's."""
    if gateway.keys.anyone is not None:
        return gateway.keys.anyone
    if not session.digest:
        return None
    try:
        return await gateway.keys.holder(session.digest, "…")
    except Unauthorized:
        return None


def _to_sign_in(visit: Visit) -> Response:
    """To the sign-in page, and from there back. A script is told, and a part of a page makes the whole page go."""
    request = visit.request
    if visit.page.api:
        raise Unauthorized("Sign in to the dashboard first.")
    if request.header(b"hx-request") is not None:
        return Response(b"", 204, HTML, ((b"hx-redirect", SIGN_IN.encode()),))
    if request.method != "GET":
        return redirect(SIGN_IN)
    return redirect(f"{SIGN_IN}?next={quote(request.path)}")


async def _check_form(visit: Visit) -> None:
    """Read the form, and see by its token that a page of this session sent it. Forbidden where not."""
    request = visit.request
    token = (request.header(b"x-csrf-token") or b"").decode("latin-1")
    if not visit.page.api:
        kind = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if kind != _FORM:
            raise InvalidRequest("Expected a form (application/x-www-form-urlencoded).")
        visit.form = _fields(await request.body(_MOST_BYTES))
        token = token or visit.form.get("csrf", "")
    if visit.session.new or not visit.site.sessions.right(visit.session, token):
        raise Forbidden(
            "This form is of no session of yours, or of one that is over: load the page again.",
            code="form_expired",
        )


def _fields(body: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000)
    except ValueError:
        raise InvalidRequest("The form cannot be read: expected fields in UTF-8.") from None
    for name, value in pairs:
        found[name] = f"{found[name]}\n{value.strip()}" if name in found else value.strip()
    return found


async def _nowhere(visit: Visit) -> Response:
    raise NotFound(visit.word("error.no_page"), code="unknown_url")


def _plain(error: RadixaError, request_id: str) -> bytes:
    """What is left to say where no page can be made."""
    said = html.escape(error.message)
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>Radixa</title><p>{said}</p></html>".encode()


_PLAIN = ErrorShape(lambda error: error.status, _plain, _plain, HTML)
