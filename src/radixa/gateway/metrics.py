"""Figures for Prometheus: counters and histograms of the gateway, and the engine's own as they are when scraped.

No label names an account or a key (DESIGN 7). What counts hits is a counter, never a gauge overwritten per batch.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from radixa.core.base import Usage
from radixa.engine.base import EngineStats
from radixa.gateway.engine_metrics import EngineFigures
from radixa.gateway.provider_metrics import ProviderFigures
from radixa.gateway.request import Request

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """One gateway's figures, in a registry of their own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._engine = EngineFigures()
        registry.register(self._engine)
        self.providers = ProviderFigures()
        """To be given the providers that are to be in it."""
        registry.register(self.providers)
        self.running = Gauge("radixa_requests_running", "Requests that are being answered.", registry=registry)
        self._waiting = Gauge(
            "radixa_ledger_waiting_rows", "Rows of the ledger that are not in the database yet.", registry=registry
        )
        self._refused = Counter(
            "radixa_refused",
            "Requests refused by limits of this server, by what was used up.",
            ["kind"],
            registry=registry,
        )
        self._fallbacks = Counter(
            "radixa_fallbacks",
            "Requests that another model answered because the first one's provider failed.",
            ["from_model", "to_model"],
            registry=registry,
        )
        self._slow = Counter(
            "radixa_slow_clients", "Connections cut because their client did not take its answer.", registry=registry
        )
        for kind in ("requests", "tokens", "insufficient_quota"):
            self._refused.labels(kind)
        self._requests = Counter(
            "radixa_requests", "Requests answered, by route and HTTP status.", ["route", "status"], registry=registry
        )
        self._duration = Histogram(
            "radixa_request_seconds",
            "From a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._ttft = Histogram(
            "radixa_time_to_first_token_seconds",
            "From a request to the first token of its answer.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = {
            kind: Counter(f"radixa_{kind}_tokens", f"{text}, by model.", ["model"], registry=registry)
            for kind, text in [
                ("prompt", "Prompt tokens of answered requests"),
                ("cached", "Prompt tokens reused"),
                ("cache_write", "Prompt tokens newly kept"),
                ("completion", "Tokens generated"),
            ]
        }

        # Looking a series up by its labels costs more than counting in it.
        self._of_route = cache(lambda route, status: self._requests.labels(route, str(status)))
        self._duration_of = cache(lambda route: self._duration.labels(route))
        self._tokens_of = cache(lambda model: [found.labels(model) for found in self._tokens.values()])
        self._ttft_of = cache(lambda model: self._ttft.labels(model))

    def request(self, request: Request, route: str, status: int, seconds: float, *, slow: bool) -> None:
        """A request that is over. `slow`: its client did not take the answer."""
        self._of_route(route, status).inc()
        self._duration_of(route).observe(seconds)
        if slow:
            self._slow.inc()
        row = request.row
        if row is not None and row.fallback_from:
            self._fallbacks.labels(row.fallback_from, row.model).inc()

    def refused(self, kind: str) -> None:
        """A limit refused a request: `kind` is the error's."""
        self._refused.labels(kind).inc()

    def answered(self, model: str, usage: Usage, ttft_seconds: float | None) -> None:
        """A request that was answered to its end; without `ttft_seconds` it wanted no tokens."""
        prompt, cached, written, completion = self._tokens_of(model)
        prompt.inc(usage.prompt_tokens)
        cached.inc(usage.cached_tokens)
        written.inc(usage.cache_write_tokens)
        completion.inc(usage.completion_tokens)
        if ttft_seconds is not None:
            self._ttft_of(model).observe(ttft_seconds)

    def text(self, engine: EngineStats | None, model: str = "", waiting_rows: int = 0) -> bytes:
        """Everything in Prometheus' text format. `engine` None: it cannot be asked now; else `model` is its model.

        `waiting_rows` are the ledger's.
        """
        self._waiting.set(waiting_rows)
        self._engine.stats = engine
        self._engine.model = model
        return generate_latest(self._registry)
