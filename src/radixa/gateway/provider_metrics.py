"""The upstreams' figures for Prometheus, by provider; of several replicas, their sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from radixa.providers.base import Provider
from radixa.providers.upstream.figures import KINDS


class ProviderFigures:
    """A collector over the providers that it was given."""

    def __init__(self) -> None:
        self.providers: Mapping[str, Provider] = {}

    def collect(self) -> Iterator[Metric]:
        label = ["provider"]
        requests = CounterMetricFamily("radixa_upstream_requests", "Tries at upstreams.", labels=label)
        retries = CounterMetricFamily("radixa_upstream_retries", "Those of them that were not the first.", labels=label)
        failures = CounterMetricFamily(
            "radixa_upstream_failures",
            "Tries that failed, and answers that broke off.",
            labels=[*label, "kind"],
        )
        servers = GaugeMetricFamily("radixa_upstream_servers", "Upstreams, replicas counted each.", labels=label)
        opened = GaugeMetricFamily(
            "radixa_upstream_open_breakers", "Those of them that are left alone for a while.", labels=label
        )
        for name, provider in self.providers.items():
            upstreams = provider.upstreams
            if not upstreams:
                continue  # It answers in this process.
            requests.add_metric([name], sum(upstream.figures.requests for upstream in upstreams))
            retries.add_metric([name], sum(upstream.figures.retries for upstream in upstreams))
            for kind in KINDS:
                failures.add_metric([name, kind], sum(upstream.figures.failures[kind] for upstream in upstreams))
            servers.add_metric([name], len(upstreams))
            opened.add_metric([name], sum(not upstream.ready for upstream in upstreams))
        yield from (requests, retries, failures, servers, opened)
