"""Addresses: of servers, and with secrets in them, made fit to be shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from radixa.core.errors import CallFailed

DEFAULT_URL = "http://127.0.0.1:8000"
"""Of the server that is asked where neither a call nor `RADIXA_BASE_URL` names one."""
_PASSWORD = re.compile(r"^(.*?//[^:@/]*|[^:@]*):(?!//).*@")
"""From the colon after the user's name to the last `@`: a password may hold either sign, and the URL be no URL."""
_PARAMETER = re.compile(r"([?&][^=&]*(?:password|passwd|pwd|secret|token)=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """A database's URL with `***` in place of its password, whether it is well-formed or not."""
    if not url.startswith("sqlite:"):
        url = _PASSWORD.sub(r"\1:***@", url)
    return _PARAMETER.sub(r"\1***", url)


def root_url(url: str) -> str:
    """The server's address without a trailing slash or `/v1`. CallFailed where it is no http address."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is none
        good = False
    if not good:
        raise CallFailed(f"{url!r} is no address of a server; expected something like http://127.0.0.1:8000")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
