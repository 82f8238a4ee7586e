"""What stands in place of keys on a server without them (`--no-auth`).

It listens on the loopback, but any web page that its user opens can send requests there: as its own site under a name
that it lets point to 127.0.0.1 (DNS rebinding), or across sites, with a form or a script, without seeing the answer.
The first is known by its `Host`, the second by its `Origin`, or by a body that does not say it is JSON, which a browser
lets no page send across sites unasked.
"""

from __future__ import annotations

import ipaddress
import re

from radixa.core.errors import Forbidden, UnsupportedMediaType, shown
from radixa.gateway.request import Request

_AUTHORITY = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[\]]+))(?::\d{1,5})?")
_JSON = re.compile(rb"application/(?:json|[\w.-]+\+json)\s*(?:;.*)?", re.IGNORECASE)


def check_local(request: Request, *, forms: bool = False) -> None:
    """Forbidden for what another site may have sent, UnsupportedMediaType for a body that is not called JSON.

    `forms`: bodies may be forms, which the route checks by itself.
    """
    host = (request.header(b"host") or b"").decode("latin-1").strip().lower()
    if not _is_loopback(host):
        raise Forbidden(
            f"This server asks for no key (--no-auth), so it answers to its loopback address only, not to "
            f"'{shown(host)}'. Expected localhost, 127.0.0.1 or [::1] as the host; start it without --no-auth to use "
            "another."
        )
    origin = request.header(b"origin")
    if origin is not None and origin.decode("latin-1").strip().lower().partition("://")[2] != host:
        raise Forbidden(
            f"This server asks for no key (--no-auth), so it takes no requests from pages of other sites, such as "
            f"'{shown(origin.decode('latin-1'))}'. Start it without --no-auth, and send a key."
        )
    if not forms and _has_body(request) and not _JSON.fullmatch((request.header(b"content-type") or b"").strip()):
        raise UnsupportedMediaType(
            "This server asks for no key (--no-auth), so a body has to say that it is JSON. "
            "Expected the header Content-Type: application/json.",
            code="unsupported_media_type",
        )


def _is_loopback(authority: str) -> bool:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return False
    host = found["six"] or found["name"].removesuffix(".")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_body(request: Request) -> bool:
    return request.header(b"content-length") not in (None, b"0") or request.header(b"transfer-encoding") is not None
