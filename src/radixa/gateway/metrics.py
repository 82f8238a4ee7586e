"""Figures for Prometheus: counters and histograms of the gateway, and the engine's own as they are when scraped.

No label names an account or a key (DESIGN 7). What counts hits is a counter, never a gauge overwritten per batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from radixa.core.base import Usage
from radixa.engine.base import EngineStats

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

_GAUGES = {
    "running": "Requests being computed.",
    "waiting": "Requests waiting for their turn.",
    "capacity": "Slots of the KV pool, in tokens.",
    "free": "Slots that hold nothing.",
    "tree": "Slots that the tree holds.",
    "leased": "Slots that running requests hold.",
    "evictable": "Slots of the tree that nobody uses now.",
    "nodes": "Nodes of the tree.",
}
_COUNTERS = {
    "steps": "Steps computed.",
    "requests": "Requests begun.",
    "prompt_tokens": "Prompt tokens of all requests.",
    "cached_tokens": "Prompt tokens whose KV was reused.",
    "computed_tokens": "Prompt tokens that went through the model.",
    "generated_tokens": "Tokens generated.",
    "evicted_tokens": "Tokens evicted from the tree.",
    "retractions": "Running requests that had to give their slots back.",
}


class Metrics:
    """One gateway's figures, in a registry of their own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._engine = _EngineFigures()
        registry.register(self._engine)
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

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._duration.labels(route).observe(seconds)

    def answered(self, model: str, usage: Usage, ttft_seconds: float) -> None:
        """A generating request that was answered to its end."""
        self._tokens["prompt"].labels(model).inc(usage.prompt_tokens)
        self._tokens["cached"].labels(model).inc(usage.cached_tokens)
        self._tokens["cache_write"].labels(model).inc(usage.cache_write_tokens)
        self._tokens["completion"].labels(model).inc(usage.completion_tokens)
        self._ttft.labels(model).observe(ttft_seconds)

    def text(self, engine: EngineStats | None) -> bytes:
        """Everything in Prometheus' text format. `engine` None: it cannot be asked now."""
        self._engine.stats = engine
        return generate_latest(self._registry)


class _EngineFigures:
    """A collector over the engine's last answer."""

    def __init__(self) -> None:
        self.stats: EngineStats | None = None

    def collect(self) -> Iterator[Metric]:
        stats = self.stats
        yield GaugeMetricFamily(
            "radixa_engine_up", "Whether the embedded engine can be asked.", value=float(stats is not None)
        )
        if stats is None:
            return
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"radixa_engine_{name}", text, value=getattr(stats, name))
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"radixa_engine_{name}", text, value=getattr(stats, name))
