"""Cross-origin requests: which pages of other sites may read answers. By default none.

A page sends its key in a header of its own, never as a cookie, so no answer allows credentials.
"""

from __future__ import annotations

import re

from radixa.gateway.asgi import Header
from radixa.gateway.request import Request

_EXPOSED = (
    b"x-request-id, request-id, openai-processing-ms, retry-after, retry-after-ms, x-should-retry, "
    b"x-radixa-served-by, x-radixa-fallback-from, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, "
    b"x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, "
    b"x-ratelimit-reset-tokens"
)
_MAX_AGE_S = b"600"
_NAMES = re.compile(rb"[\w-]+(, ?[\w-]+)*")
_MOST_BYTES = 2048
_VARY: Header = (b"vary", b"Origin")


class Cors:
    """Answers for `origins` alone; `*` among them is every one."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = b"*" in self._origins

    def headers(self, request: Request) -> list[Header]:
        """What an answer to this request says about who may read it."""
        if not self._origins:
            return []
        allowed = self._allowed(request.header(b"origin"))
        if allowed is None:
            return [_VARY]
        return [(b"access-control-allow-origin", allowed), (b"access-control-expose-headers", _EXPOSED), _VARY]

    def preflight(self, request: Request, methods: bytes) -> list[Header]:
        """What the answer to an OPTIONS says more, where a browser asks before it sends the request itself."""
        wanted = request.header(b"access-control-request-method")
        if not self._origins or wanted is None or self._allowed(request.header(b"origin")) is None:
            return []
        names = request.header(b"access-control-request-headers") or b""
        found: list[Header] = [(b"access-control-allow-methods", methods), (b"access-control-max-age", _MAX_AGE_S)]
        if len(names) <= _MOST_BYTES and _NAMES.fullmatch(names):
            found.append((b"access-control-allow-headers", names))
        return found

    def _allowed(self, origin: bytes | None) -> bytes | None:
        if origin is None:
            return None
        if self._any:
            return b"*"
        return origin if origin in self._origins else None
