"""The telemetry that a configuration asks for."""

from __future__ import annotations

from radixa.core.config import TelemetryConfig
from radixa.core.errors import ConfigError
from radixa.gateway.telemetry.base import NO_TELEMETRY, Telemetry


def telemetry_for(config: TelemetryConfig) -> Telemetry:
    """ConfigError where what it needs is not installed."""
    if not config.otlp_endpoint:
        return NO_TELEMETRY
    try:
        from radixa.gateway.telemetry.otlp import OtlpTelemetry
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"telemetry.otlp_endpoint is set, but {error.name} is not installed: pip install 'radixa[otel]'"
        ) from error
    return OtlpTelemetry(config)
