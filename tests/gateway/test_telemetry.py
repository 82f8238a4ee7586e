"""Traces and metrics as a collector receives them, over the network from a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes
from opentelemetry.semconv.metrics import http_metrics

from radixa.core.config import TelemetryConfig
from radixa.core.errors import ConfigError
from radixa.gateway.telemetry import names
from radixa.gateway.telemetry.base import NO_TELEMETRY
from radixa.gateway.telemetry.opening import telemetry_for
from tests.gateway.engineless import MODEL, UPSTREAM_KEY, answer_to, chat, engineless, head
from tests.gateway.live import KEY
from tests.upstreams.base import Fault, StandIn
from tests.upstreams.openai import OpenAIStandIn

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
PROMPT = "the-prompt-that-nobody-may-see"


class Collector(StandIn):
    """Takes what is sent over OTLP/HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.points: dict[str, list[Any]] = {}
        """By metric, its histogram's points as they were told last."""
        self.units: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/traces", self.traces), web.post("/v1/metrics", self.metrics)]

    async def traces(self, request: web.Request) -> web.Response:
        found = ExportTraceServiceRequest.FromString((await self.record(request)).body)
        for resource in found.resource_spans:
            self.resources.append(values(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response()

    async def metrics(self, request: web.Request) -> web.Response:
        found = ExportMetricsServiceRequest.FromString((await self.record(request)).body)
        for resource in found.resource_metrics:
            self.resources.append(values(resource.resource.attributes))
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self.points[metric.name] = list(metric.histogram.data_points)
                    self.units[metric.name] = metric.unit
        return web.Response()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def point(self, name: str, wanted: dict[str, Any]) -> Any:
        """The one point of a metric that has these attributes."""
        (found,) = [
            point
            for point in self.points[name]
            if all(values(point.attributes).get(key) == value for key, value in wanted.items())
        ]
        return found


def values(attributes: Any) -> dict[str, Any]:
    """Attributes as they are in Python."""
    found: dict[str, Any] = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        found[attribute.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


@contextmanager
def collecting(collector: Collector) -> Iterator[str]:
    """The collector's URL; all must have been told when the server has ended."""
    with collector.in_thread() as url:
        yield url


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collector, OpenAIStandIn]:
    """What a collector received of a server's life, and what the upstream did."""
    collector, stand_in = Collector(), OpenAIStandIn()
    with collecting(collector) as url:
        settings = {"RADIXA_TELEMETRY_OTLP_ENDPOINT": url, "RADIXA_TELEMETRY_SERVICE_NAME": "gateway-of-the-tests"}
        with engineless(tmp_path_factory.mktemp("telemetry"), stand_in, **settings) as live:
            traced = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=abc"}
            body = json.dumps({
                "model": MODEL, "messages": [{"role": "user", "content": f"{PROMPT} say 5"}], "stream": True,
            }).encode()  # fmt: skip
            sent = head("POST", "/v1/chat/completions", content_length=str(len(body)), **traced) + body
            assert answer_to(live, sent)[0] == 200
            assert answer_to(live, chat("x", temperature="hot", n="many"))[0] in (200, 400)
            assert answer_to(live, chat("x").replace(MODEL.encode(), b"other-model"))[0] == 404
            stand_in.faults = [Fault("status", 500, then="always")]
            assert answer_to(live, chat("x"))[0] in (500, 502)
            assert answer_to(live, head("GET", "/v1/nothing"))[0] == 404
            assert live.stop() == 0
            assert "Traceback" not in live.output
    return collector, stand_in


def test_the_callers_trace_goes_on_to_the_upstream(told: tuple[Collector, OpenAIStandIn]) -> None:
    collector, stand_in = told
    (call,) = [span for span in collector.named(f"chat {MODEL}") if span.trace_id.hex() == TRACE]
    (server,) = [span for span in collector.named("POST /v1/chat/completions") if span.trace_id.hex() == TRACE]
    assert server.parent_span_id.hex() == PARENT
    assert server.kind == Span.SPAN_KIND_SERVER
    assert call.parent_span_id == server.span_id
    assert call.kind == Span.SPAN_KIND_CLIENT
    sent = stand_in.requests[0].headers
    assert sent["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert sent["tracestate"] == "vendor=abc"
    assert server.start_time_unix_nano <= call.start_time_unix_nano < call.end_time_unix_nano
    # Whoever sends no trace gets one of its own.
    others = {request.headers["traceparent"].split("-")[1] for request in stand_in.requests[1:]}
    assert TRACE not in others


def test_spans_say_what_the_conventions_name(told: tuple[Collector, OpenAIStandIn]) -> None:
    collector, _ = told
    (call,) = [span for span in collector.named(f"chat {MODEL}") if span.trace_id.hex() == TRACE]
    found = values(call.attributes)
    first_chunk = found.pop("gen_ai.response.time_to_first_chunk")
    assert 0 < first_chunk < 20
    prompt = found.pop("gen_ai.usage.input_tokens")
    assert prompt > 0
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "house",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.stream": True,
        "gen_ai.response.model": MODEL,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "radixa.cost_nano_usd": prompt * 1000 + 5 * 2000,
    }
    (server,) = [span for span in collector.named("POST /v1/chat/completions") if span.trace_id.hex() == TRACE]
    found = values(server.attributes)
    assert found.pop("radixa.request_id").startswith("req_")
    assert found.pop("radixa.account_id").startswith("acct_")
    assert found.pop("radixa.key_id").startswith("key_")
    assert found == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
    }
    assert {"service.name": "gateway-of-the-tests"}.items() <= collector.resources[0].items()


def test_what_failed_is_told_as_failed(told: tuple[Collector, OpenAIStandIn]) -> None:
    collector, _ = told
    (failed,) = [span for span in collector.named(f"chat {MODEL}") if "error.type" in values(span.attributes)]
    assert values(failed.attributes)["error.type"] in ("500", "502")
    assert failed.status.code == Status.STATUS_CODE_ERROR
    # A model that is not there was not called.
    assert not [span for span in collector.spans if "other-model" in str(span)]
    (unknown,) = [span for span in collector.spans if values(span.attributes).get("http.route") == "unknown"]
    assert values(unknown.attributes)["http.response.status_code"] == 404
    assert unknown.status.code == Status.STATUS_CODE_UNSET


def test_metrics_are_those_of_the_conventions(told: tuple[Collector, OpenAIStandIn]) -> None:
    collector, _ = told
    named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "house", "gen_ai.request.model": MODEL}
    output = collector.point("gen_ai.client.token.usage", {"gen_ai.token.type": "output", **named})
    assert output.sum >= 5
    assert output.explicit_bounds == [float(4**power) for power in range(14)]
    prompt = collector.point("gen_ai.client.token.usage", {"gen_ai.token.type": "input", **named})
    assert prompt.count == output.count
    assert collector.point("gen_ai.server.time_to_first_token", named).count == output.count
    assert collector.point("gen_ai.server.time_per_output_token", named).count == 1
    durations = [values(point.attributes) for point in collector.points["gen_ai.server.request.duration"]]
    assert sorted("error.type" in found for found in durations) == [False, True]
    assert collector.units == {
        "gen_ai.client.token.usage": "{token}",
        "gen_ai.server.request.duration": "s",
        "gen_ai.server.time_to_first_token": "s",
        "gen_ai.server.time_per_output_token": "s",
        "http.server.request.duration": "s",
    }


def test_nothing_told_holds_a_prompt_or_a_key(told: tuple[Collector, OpenAIStandIn]) -> None:
    collector, _ = told
    assert collector.requests
    for request in collector.requests:
        for secret in (PROMPT, KEY, UPSTREAM_KEY):
            assert secret.encode() not in request.body


def test_names_are_the_conventions() -> None:
    """As far as the installed release has them."""
    there = {
        value
        for module in (gen_ai_attributes, gen_ai_metrics, error_attributes, http_attributes, http_metrics)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    ours = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert {name for name in ours if not name.startswith("radixa.")} - there == {names.OTHER_METHOD}


def test_off_is_nothing_at_all() -> None:
    assert telemetry_for(TelemetryConfig()) is NO_TELEMETRY
    loads = "import sys, radixa.gateway.serve; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "radixa.gateway.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", None)
    with pytest.raises(ConfigError, match=r"pip install 'radixa\[otel\]'"):
        telemetry_for(TelemetryConfig(otlp_endpoint="http://127.0.0.1:1"))


def test_a_collector_that_is_away_harms_nobody(tmp_path: Path) -> None:
    with engineless(tmp_path, OpenAIStandIn(), RADIXA_TELEMETRY_OTLP_ENDPOINT="http://127.0.0.1:1") as live:
        assert answer_to(live, chat("say 2"))[0] == 200
        assert live.stop() == 0
        assert "Traceback" not in live.output
