"""`/dashboard/explain`: a prompt, or one of the last requests, as coloured text: what hit, what was computed, and where
it parted from what the tree had."""

from __future__ import annotations

from typing import Any

from radixa.core.errors import EngineUnavailable, InvalidRequest
from radixa.dashboard.base import Page, Visit
from radixa.gateway.base import EventStream, Response
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


async def ask(visit: Visit) -> Response | EventStream:
    return await explaining.explain(visit.gateway, visit.request)


async def one(visit: Visit) -> Response | EventStream:
    return await recent.show(visit.gateway, visit.request)


async def listed(visit: Visit) -> Response | EventStream:
    return await recent.index(visit.gateway, visit.request)


async def warmed(visit: Visit) -> Response | EventStream:
    return await warm.warm(visit.gateway, visit.request)


PAGES = (
    Page(PATH, show, menu="menu.explain"),
    Page(f"{PATH}/ask", post=ask, api=True),
    Page(f"{PATH}/warm", post=warmed, api=True),
    Page(f"{PATH}/recent", listed, api=True),
    Page(f"{PATH}/recent/{{id}}", one, api=True),
)
