"""Light or dark: what a cookie says, else what the browser prefers."""

from __future__ import annotations

from radixa.dashboard.session import cookies
from radixa.gateway.request import Request

THEMES = ("light", "dark")
AUTO = "auto"
THEME_COOKIE = "radixa_theme"


def theme(request: Request) -> str:
    """One of `THEMES`; empty for what the browser prefers."""
    found = cookies(request).get(THEME_COOKIE, "")
    return found if found in THEMES else ""
