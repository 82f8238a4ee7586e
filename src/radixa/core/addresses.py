"""Addresses with secrets in them, made fit to be shown."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"^(.*?//[^:@/]*|[^:@]*):(?!//).*@")
"""From the colon after the user's name to the last `@`: a password may hold either sign, and the URL be no URL."""
_PARAMETER = re.compile(r"([?&][^=&]*(?:password|passwd|pwd|secret|token)=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """A database's URL with `***` in place of its password, whether it is well-formed or not."""
    if not url.startswith("sqlite:"):
        url = _PASSWORD.sub(r"\1:***@", url)
    return _PARAMETER.sub(r"\1***", url)
