"""`/dashboard`: what is served, and what today's requests cost and saved."""

from __future__ import annotations

import time
from typing import Any

from radixa.core.errors import RadixaError
from radixa.dashboard.base import HOME, Page, Visit
from radixa.dashboard.figures import share
from radixa.dashboard.pages.plots import columns
from radixa.gateway.base import Response
from radixa.gateway.ledger.report import EVERYONE
from radixa.gateway.routes import cache, models, ops, usage

_DAY_S = 86_400
_DAYS = 14
_MODELS = 6


async def show(visit: Visit) -> Response:
    scope = {"account": EVERYONE} if visit.known.admin else {}
    # What the page asks for every few seconds is today's figures alone.
    days = [] if visit.request.header(b"hx-request") else await _last_days(visit, scope)
    today = await visit.ask(usage.index, query={"group_by": "model", "since": str(_midnight())} | scope)
    totals = today["totals"]
    return visit.render(
        "overview.html",
        state=await visit.ask(ops.ready),
        models=await _models(visit),
        most=_MODELS,
        cache=await _cache(visit),
        today=totals,
        hit_rate=share(totals["cached_tokens"], totals["prompt_tokens"]),
        plots=columns(visit, days) if len(days) > 1 else None,
        base_url=_address(visit),
    )


def _midnight(days_ago: int = 0) -> int:
    """When a day began (UTC)."""
    return (int(time.time()) // _DAY_S - days_ago) * _DAY_S


async def _last_days(visit: Visit, scope: dict[str, str]) -> list[dict[str, Any]]:
    """Oldest first."""
    query = {"group_by": "day", "since": str(_midnight(_DAYS - 1))} | scope
    return sorted((await visit.ask(usage.index, query=query))["data"], key=lambda row: row["day"])


async def _models(visit: Visit) -> list[dict[str, Any]]:
    """Empty while there is no catalogue yet."""
    try:
        return list((await visit.ask(models.index))["data"])
    except RadixaError:
        return []


async def _cache(visit: Visit) -> dict[str, Any] | None:
    """The tree's use; None where there is no engine, or not yet."""
    try:
        found: dict[str, Any] = await visit.ask(cache.show)
    except RadixaError:
        return None
    return found


def _address(visit: Visit) -> str:
    """The server as the visitor reached it."""
    host = (visit.request.header(b"host") or b"127.0.0.1:8000").decode("latin-1")
    scheme = "https" if visit.request.header(b"x-forwarded-proto") == b"https" else "http"
    return f"{scheme}://{host}/v1"


PAGES = (Page(HOME, show, menu="menu.overview"),)
