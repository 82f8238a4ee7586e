"""Who is signed in: a signed cookie, and the tokens that forms carry.

The cookie holds a random number and the digest of the visitor's key, signed with the installation's secret. The digest
opens nothing by itself. It is looked up at each request, so a key that is revoked or expires ends its sessions too. The
random number makes the form's token, and is what signing out ends.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from hmac import compare_digest

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer

from radixa.gateway.asgi import Header
from radixa.gateway.request import Request

COOKIE = "radixa_session"
LASTS_S = 12 * 3600
"""From signing in to having to sign in again."""
PATH = "/dashboard"


@dataclass(frozen=True, slots=True)
class Session:
    """`digest` is that of the key somebody signed in with; empty before."""

    nonce: str
    digest: str = ""
    new: bool = False
    """The browser does not have it yet."""


class Sessions:
    """Sessions of one server. They outlive it; which of them were signed out is known to this process alone."""

    def __init__(self, secret: bytes) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="radixa.dashboard.session")
        self._tokens = Signer(secret, salt="radixa.dashboard.form")
        self._ended: dict[str, float] = {}

    def begin(self, digest: str = "") -> Session:
        """A new session, of nobody where `digest` is empty."""
        return Session(secrets.token_urlsafe(18), digest, new=True)

    def of(self, request: Request) -> Session:
        """The session that the request's cookie names, a new one of nobody where that is none, ended or too old."""
        value = cookies(request).get(COOKIE)
        if value is not None:
            try:
                nonce, digest = self._serializer.loads(value, max_age=LASTS_S)
            except (BadSignature, ValueError, TypeError):
                return self.begin()
            if nonce not in self._ended:
                return Session(nonce, digest)
        return self.begin()

    def end(self, session: Session) -> None:
        """Not valid any more, wherever its cookie was copied to."""
        now = time.time()
        self._ended = {nonce: until for nonce, until in self._ended.items() if until > now}
        self._ended[session.nonce] = now + LASTS_S

    def cookie(self, session: Session, *, secure: bool) -> Header:
        """The header that gives a session to the browser."""
        value = self._serializer.dumps([session.nonce, session.digest])
        assert isinstance(value, str)
        return set_cookie(COOKIE, value, LASTS_S, secure=secure)

    def token(self, session: Session) -> str:
        """What forms of this session carry."""
        return self._tokens.get_signature(session.nonce).decode()

    def right(self, session: Session, token: str) -> bool:
        return compare_digest(self.token(session).encode(), token.encode())


def cookies(request: Request) -> dict[str, str]:
    """The cookies of a request, by name; of one sent twice, the first."""
    found: dict[str, str] = {}
    header = request.header(b"cookie") or b""
    for part in header.decode("latin-1").split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            found.setdefault(name, value.strip('"'))
    return found


def over_https(request: Request) -> bool:
    """Whether a proxy before this server says that the browser speaks HTTPS to it."""
    return request.header(b"x-forwarded-proto") == b"https"


def set_cookie(name: str, value: str, seconds: int, *, secure: bool) -> Header:
    """Out of scripts' reach, and not sent along by any other site. 0 seconds take it away; `secure`: HTTPS alone."""
    only = "; Secure" if secure else ""
    return (
        b"set-cookie",
        f"{name}={value}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{only}".encode(),
    )
