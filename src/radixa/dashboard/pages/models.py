"""`/dashboard/models`: what is on offer and at which price, and how the providers do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from radixa.dashboard.base import Page, Visit
from radixa.gateway.base import Response
from radixa.gateway.routes import catalogue, models


@dataclass(frozen=True, slots=True)
class Health:
    """A provider now. Its figures count since this server started."""

    name: str
    servers: int
    ready: int
    requests: int
    retries: int
    failures: int

    @property
    def state(self) -> str:
        if self.ready == 0:
            return "down"
        return "partly" if self.ready < self.servers else "up"


async def show(visit: Visit) -> Response:
    offered = (await visit.ask(models.index))["data"]
    missing: list[dict[str, Any]] = []
    if visit.known.admin:
        missing = [entry for entry in (await visit.ask(catalogue.index))["data"] if not entry["offered"]]
    return visit.render("models.html", models=offered, missing=missing, providers=_health(visit))


def _health(visit: Visit) -> list[Health]:
    """The engine first, then the upstreams; of several servers of one, their sums."""
    found = []
    gateway = visit.gateway
    if gateway.config.engine.enabled:
        found.append(Health("radixa", 1, int(gateway.ready), 0, 0, 0))
    for name, provider in gateway.metrics.providers.providers.items():
        servers = provider.upstreams
        figures = [server.figures for server in servers]
        found.append(
            Health(
                name,
                len(servers),
                sum(server.ready for server in servers),
                sum(one.requests for one in figures),
                sum(one.retries for one in figures),
                sum(sum(one.failures.values()) for one in figures),
            )
        )
    return found


PAGES = (Page("/dashboard/models", show, menu="menu.models"),)
