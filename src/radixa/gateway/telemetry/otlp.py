"""Traces and metrics by OpenTelemetry's conventions, sent over OTLP/HTTP from threads beside the loop.

A request is a server's span; where a model answered, there is a second one in it, and its context goes to the upstream
as `traceparent`. What was asked and answered is in neither.
"""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from radixa import __version__
from radixa.core.config import TelemetryConfig
from radixa.core.tracing import OUTGOING
from radixa.gateway.request import Request
from radixa.gateway.telemetry import names
from radixa.gateway.telemetry.base import Span
from radixa.store.ledger.base import LedgerRow

_EXPORT_TIMEOUT_S = 5
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TTFT_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_TPOT_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_TOKENS = tuple(4**power for power in range(14))
"""Boundaries that the conventions name."""

_PROPAGATOR = TraceContextTextMapPropagator()


class OtlpTelemetry:
    """Implements `telemetry.base.Telemetry`. What the SDK reads from OTEL_ variables holds: sampler, headers, pace."""

    def __init__(self, config: TelemetryConfig) -> None:
        endpoint = config.otlp_endpoint.rstrip("/")
        resource = Resource.create({"service.name": config.service_name, "service.version": __version__})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT_S))
        )
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", timeout=_EXPORT_TIMEOUT_S)
        )
        self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._tracer = self._traces.get_tracer("radixa", __version__)
        meter = self._metrics.get_meter("radixa", __version__)
        self._http = meter.create_histogram(
            names.HTTP_DURATION, "s", "Requests.", explicit_bucket_boundaries_advisory=_HTTP_SECONDS
        )
        self._duration = meter.create_histogram(
            names.SERVER_DURATION, "s", "Requests to models.", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._ttft = meter.create_histogram(
            names.SERVER_TTFT, "s", "To the first token.", explicit_bucket_boundaries_advisory=_TTFT_SECONDS
        )
        self._tpot = meter.create_histogram(
            names.SERVER_TPOT, "s", "Each token after it.", explicit_bucket_boundaries_advisory=_TPOT_SECONDS
        )
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE, "{token}", "Tokens of requests.", explicit_bucket_boundaries_advisory=_TOKENS
        )

    def begin(self, request: Request, route: str) -> Span:
        method = request.method if request.method in names.METHODS else names.OTHER_METHOD
        attributes: dict[str, AttributeValue] = {names.METHOD: method, names.ROUTE: route}
        server = self._tracer.start_span(
            f"{method} {route}",
            _PROPAGATOR.extract(_carried(request)),
            SpanKind.SERVER,
            {**attributes, names.REQUEST_ID: request.id},
        )
        operation = names.OPERATIONS.get(route)
        call = None
        if operation is not None:
            call = self._tracer.start_span(operation, set_span_in_context(server), SpanKind.CLIENT)
            outgoing: dict[str, str] = {}
            _PROPAGATOR.inject(outgoing, set_span_in_context(call))
            OUTGOING.set(outgoing)
        return _Running(self, request, attributes, server, operation, call)

    def close(self) -> None:
        self._traces.shutdown()
        self._metrics.shutdown()

    def requested(self, attributes: dict[str, AttributeValue], seconds: float) -> None:
        """Any request is over."""
        self._http.record(seconds, attributes)

    def called(self, attributes: dict[str, AttributeValue], row: LedgerRow | None, seconds: float) -> None:
        """One that a model was to answer is over; `row` is None where it answered nothing."""
        self._duration.record(seconds, attributes)
        if row is None:
            return
        self._tokens.record(row.prompt_tokens, {**attributes, names.TOKEN_TYPE: "input"})
        self._tokens.record(row.completion_tokens, {**attributes, names.TOKEN_TYPE: "output"})
        if row.ttft_ms is not None and row.completion_tokens and names.ERROR not in attributes:
            ttft = row.ttft_ms / 1e3
            self._ttft.record(ttft, attributes)
            if row.stream and row.completion_tokens > 1:
                self._tpot.record((row.duration_ms / 1e3 - ttft) / (row.completion_tokens - 1), attributes)


class _Running:
    """A request's spans."""

    def __init__(
        self,
        telemetry: OtlpTelemetry,
        request: Request,
        attributes: dict[str, AttributeValue],
        server: OtelSpan,
        operation: str | None,
        call: OtelSpan | None,
    ) -> None:
        self._telemetry = telemetry
        self._request = request
        self._attributes = attributes
        self._server = server
        self._operation = operation
        self._call = call

    def end(self, status: int, seconds: float) -> None:
        known = self._request.known
        attributes = {**self._attributes, names.STATUS: status}
        if status >= 500:
            attributes[names.ERROR] = str(status)
            self._server.set_status(Status(StatusCode.ERROR))
        # A call that no model was asked for is never ended, and so never sent.
        if self._call is not None and self._operation is not None and self._request.offer is not None:
            self._end_call(self._call, self._operation, status, seconds)
        self._telemetry.requested(attributes, seconds)
        self._server.set_attributes(attributes)
        if known is not None:
            self._server.set_attributes({names.ACCOUNT: known.account_id, names.KEY: known.key_id})
        self._server.end()

    def _end_call(self, call: OtelSpan, operation: str, status: int, seconds: float) -> None:
        offer, row = self._request.offer, self._request.row
        assert offer is not None
        provider = "radixa" if offer.embedded else names.PROVIDERS.get(offer.provider, offer.provider)
        attributes: dict[str, AttributeValue] = {
            names.OPERATION: operation,
            names.PROVIDER: provider,
            names.REQUEST_MODEL: offer.id,
            names.RESPONSE_MODEL: offer.served_by,
        }
        if status >= 400:
            attributes[names.ERROR] = str(status)
            call.set_status(Status(StatusCode.ERROR))
        self._telemetry.called(attributes, row, seconds)
        call.update_name(f"{operation} {offer.id}")
        call.set_attributes(attributes)
        if row is not None:
            call.set_attributes(_used(row, self._request.finish_reasons))
        call.end()


def _used(row: LedgerRow, finish_reasons: tuple[str, ...]) -> dict[str, AttributeValue]:
    """What a model's answer used, as the attributes of a span."""
    found: dict[str, AttributeValue] = {
        names.REQUEST_STREAM: row.stream,
        names.INPUT_TOKENS: row.prompt_tokens,
        names.OUTPUT_TOKENS: row.completion_tokens,
        names.CACHE_READ_TOKENS: row.cached_tokens,
        names.CACHE_WRITE_TOKENS: row.cache_write_tokens,
        names.REASONING_TOKENS: row.reasoning_tokens,
        names.FINISH_REASONS: finish_reasons,
    }
    if row.cost_nano_usd is not None:
        found[names.COST] = row.cost_nano_usd
    if row.ttft_ms is not None:
        found[names.TIME_TO_FIRST_CHUNK] = row.ttft_ms / 1e3
    if row.session_id:
        found[names.CONVERSATION] = row.session_id
    return found


def _carried(request: Request) -> dict[str, str]:
    """The caller's own trace, as its headers say."""
    found = {name: request.header(name.encode()) for name in ("traceparent", "tracestate")}
    return {name: value.decode("latin-1") for name, value in found.items() if value is not None}
