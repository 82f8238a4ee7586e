"""Traces and metrics over OpenTelemetry's protocol, where the configuration names a place for them."""
