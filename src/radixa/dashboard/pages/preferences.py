"""The switches for language and light, kept in cookies."""

from __future__ import annotations

from radixa.dashboard import words
from radixa.dashboard.base import Page, Visit, inside, redirect
from radixa.dashboard.mode import AUTO, THEME_COOKIE, THEMES
from radixa.dashboard.session import over_https, set_cookie
from radixa.gateway.base import Response

_YEAR_S = 365 * 86_400


async def choose(visit: Visit) -> Response:
    """`language` or `theme`, and the page to go back to."""
    headers, secure = [], over_https(visit.request)
    if visit.form.get("language") in words.NAMES:
        headers.append(set_cookie(words.COOKIE, visit.form["language"], _YEAR_S, secure=secure))
    theme = visit.form.get("theme", "")
    if theme in THEMES:
        headers.append(set_cookie(THEME_COOKIE, theme, _YEAR_S, secure=secure))
    elif theme == AUTO:
        headers.append(set_cookie(THEME_COOKIE, "", 0, secure=secure))
    return redirect(inside(visit.form.get("next", "")), *headers)


PAGES = (Page("/dashboard/preferences", post=choose, open=True),)
