"""What a page is, and what it is given: a visit.

A page is a function in a table (`pages/__init__.py`). It gets a `Visit`, asks the gateway's own routes as its visitor
(`visit.ask`), and returns `visit.render("its.html", …)`. Who is not signed in is sent to the sign-in page before; what
changes anything has been sent by a form or a script of ours (`mount.py` looks at the token).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from radixa.dashboard.asking import ask
from radixa.dashboard.session import Session, over_https
from radixa.dashboard.words import Language
from radixa.gateway.asgi import Header
from radixa.gateway.auth import Identity
from radixa.gateway.base import EventStream, Handler, Response
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway

if TYPE_CHECKING:
    from radixa.dashboard.site import Site

HTML = b"text/html; charset=utf-8"
HOME = "/dashboard"
SIGN_IN = "/dashboard/sign-in"


@dataclass(slots=True)
class Visit:
    """One request to a page, and who makes it."""

    site: Site
    gateway: Gateway
    request: Request
    page: Page
    session: Session
    identity: Identity | None
    """Who is signed in; None on open pages only. Everyone is, on a server without keys."""
    language: Language
    theme: str
    """`light` or `dark`; empty for what the browser prefers."""
    form: Mapping[str, str] = field(default_factory=dict)
    """The fields of a form that was sent, their blanks stripped; of one given twice, all its values, a line each."""

    @property
    def known(self) -> Identity:
        """Who is signed in, on a page that is not open."""
        assert self.identity is not None
        return self.identity

    @property
    def path(self) -> str:
        return self.request.path

    def cookie(self, session: Session) -> Header:
        """The header that gives the browser a session in place of the one it has."""
        return self.site.sessions.cookie(session, secure=over_https(self.request))

    def word(self, key: str, **values: object) -> str:
        """The text of a key in the visitor's language."""
        return self.language.word(key, **values)

    async def ask(
        self, handler: Handler, *, query: Mapping[str, str] | None = None, body: Any = None, argument: str = ""
    ) -> Any:
        """What a route of the gateway answers to this visitor, decoded from JSON. RadixaError as it raises it."""
        return await ask(self.gateway, self.request, self.known, handler, query=query, body=body, argument=argument)

    def render(self, template: str, *, status: int = 200, headers: tuple[Header, ...] = (), **values: Any) -> Response:
        """A template as a page, with the headers that keep it safe."""
        return self.site.render(self, template, status, headers, values)


PageHandler = Callable[[Visit], Awaitable[Response | EventStream]]


def passed_on(handler: Handler) -> PageHandler:
    """A page for scripts that a route of the gateway, which no administrator's rule guards, answers as it is."""
    return lambda visit: handler(visit.gateway, visit.request)


@dataclass(frozen=True, slots=True)
class Page:
    """A path of the dashboard, `{id}` for a part of any kind (`visit.request.argument`), and what answers there."""

    path: str
    show: PageHandler | None = None
    """GET."""
    post: PageHandler | None = None
    """POST. The token was right: the form's field `csrf`, or the header `x-csrf-token`."""
    menu: str = ""
    """Its name in the menu, a key of `words/`; empty for a page that is not in the menu."""
    open: bool = False
    """For visitors who are not signed in, too."""
    api: bool = False
    """Its answers are JSON or events for scripts, and its errors the API's; a body of it is for `post` to read."""


def inside(path: str) -> str:
    """Where to go on: a page of the dashboard, whatever a link or a form said."""
    own = path == HOME or path.startswith(HOME + "/")
    return path if own and path.isascii() and path.isprintable() and "\\" not in path else HOME


def redirect(path: str, *headers: Header) -> Response:
    """Go on at `path`, of this server, by GET."""
    return Response(b"", 303, HTML, ((b"location", path.encode("ascii", "ignore")), *headers))
