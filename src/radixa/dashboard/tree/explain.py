"""`/dashboard/explain`: a prompt, or one of the last requests, as coloured text: what hit, what was computed, and where
it parted from what the tree had."""

from __future__ import annotations

from typing import Any

from radixa.core.errors import EngineUnavailable, InvalidRequest
from radixa.dashboard.base import Page, Visit, passed_on
from radixa.gateway.base import Response
from radixa.gateway.routes import explain as explaining
from radixa.gateway.routes import recent, warm

PATH = "/dashboard/explain"


async def show(visit: Visit) -> Response:
    return visit.render(
        "explain.html",
        recent=await _recent(visit),
        words={
            key.removeprefix("explain."): text
            for key, text in visit.language.texts.items()
            if key.startswith("explain.")
        },
    )


async def _recent(visit: Visit) -> list[dict[str, Any]] | None:
    """The account's last requests; None without an engine to ask."""
    try:
        found: list[dict[str, Any]] = (await visit.ask(recent.index))["data"]
    except (EngineUnavailable, InvalidRequest):
        return None
    return found


PAGES = (
    Page(PATH, show, menu="menu.explain"),
    Page(f"{PATH}/ask", post=passed_on(explaining.explain), api=True),
    Page(f"{PATH}/warm", post=passed_on(warm.warm), api=True),
    Page(f"{PATH}/recent", passed_on(recent.index), api=True),
    Page(f"{PATH}/recent/{{id}}", passed_on(recent.show), api=True),
)
