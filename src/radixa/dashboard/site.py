"""`Site`: what all pages of one server share, and how a template becomes an answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from radixa.core.errors import RadixaError
from radixa.dashboard.assets import HERE, assets
from radixa.dashboard.base import HTML, Page, Visit
from radixa.dashboard.figures import FILTERS
from radixa.dashboard.session import Sessions
from radixa.dashboard.words import NAMES, languages
from radixa.gateway.asgi import Header
from radixa.gateway.base import Response
from radixa.gateway.limits.addresses import Addresses
from radixa.gateway.state import Gateway

TRIES = 10
"""Wrong keys that one address may try in a minute."""
CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURE: tuple[Header, ...] = (
    (b"content-security-policy", CSP),
    (b"x-frame-options", b"DENY"),
    # Without it a browser would hide which page a form comes from, and a server without keys takes no such form.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


class Site:
    """Sessions, templates, texts and files of one gateway's dashboard."""

    def __init__(self, gateway: Gateway, pages: tuple[Page, ...]) -> None:
        self.gateway = gateway
        self.pages = pages
        self.sessions = Sessions(gateway.secret)
        self.tries = Addresses(TRIES)
        self.languages = languages()
        self.assets = assets()

    def render(
        self, visit: Visit, template: str, status: int, headers: tuple[Header, ...], values: dict[str, Any]
    ) -> Response:
        text = (
            templates()
            .get_template(template)
            .render(
                values,
                visit=visit,
                page=visit.page,
                menu=[page for page in self.pages if page.menu],
                t=visit.word,
                language=visit.language.code,
                language_names=NAMES,
                theme=visit.theme,
                identity=visit.identity,
                signed_in=visit.identity is not None and bool(visit.session.digest),
                csrf=self.sessions.token(visit.session),
                asset=self.assets.url,
                self_signup=self.gateway.config.accounts.self_signup and self.gateway.config.server.auth,
            )
        )
        sent = list(headers)
        if visit.session.new and not any(name == b"set-cookie" and b"radixa_session=" in value for name, value in sent):
            sent.append(visit.cookie(visit.session))
        return Response(text.encode(), status, HTML, (*SECURE, *sent))

    def failure(self, visit: Visit, error: RadixaError) -> Response:
        """A page that says what went wrong."""
        return self.render(visit, "error.html", error.status, error.headers, {"error": error})


@cache
def templates() -> Environment:
    """The templates, compiled once in a process."""
    found = Environment(
        loader=FileSystemLoader([HERE / "templates", HERE / "tree" / "templates"]),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    return found
