"""`/dashboard/cache`: the viewer over the server's tree, and what it asks for while it is open."""

from __future__ import annotations

from radixa.core.errors import EngineUnavailable, InvalidRequest
from radixa.dashboard.base import Page, Visit, passed_on
from radixa.dashboard.tree import explain
from radixa.gateway.base import Response
from radixa.gateway.routes import cache, cache_events, cache_nodes, models, warm
from radixa.viewer.assets import SCRIPTS, STYLE, words
from radixa.viewer.facts import Facts, facts

PATH = "/dashboard/cache"


async def show(visit: Visit) -> Response:
    return visit.render(
        "tree.html",
        settings={
            "source": "",
            "taken": None,
            "facts": await _facts(visit),
            "may": True,
            "language": visit.language.code,
            "words": {visit.language.code: words(visit.language.code)},
            "csrf": visit.site.sessions.token(visit.session),
            "urls": {
                "tree": f"{PATH}/tree",
                "events": f"{PATH}/events",
                "nodes": f"{PATH}/nodes/",
                "warm": f"{PATH}/warm",
            },
        },
        scripts=SCRIPTS,
        style=STYLE,
    )


async def _facts(visit: Visit) -> Facts:
    """What is known beside the nodes, without an engine nothing."""
    try:
        info = visit.gateway.local.engine.info
    except (EngineUnavailable, InvalidRequest):
        return {}
    # How much there is room for is for all accounts together.
    capacity = info.capacity if visit.known.admin else None
    return facts(info.bytes_per_token, capacity, (await visit.ask(models.index))["data"])


PAGES = (
    Page(PATH, show, menu="menu.cache"),
    Page(f"{PATH}/tree", passed_on(cache.tree), api=True),
    Page(f"{PATH}/events", passed_on(cache_events.show), api=True),
    Page(f"{PATH}/nodes/{{id}}/keep", post=passed_on(cache_nodes.change), api=True),
    Page(f"{PATH}/nodes/{{id}}/evict", post=passed_on(cache_nodes.evict), api=True),
    Page(f"{PATH}/warm", post=passed_on(warm.warm), api=True),
    *explain.PAGES,
)
