"""What the application tells telemetry. Off is an implementation, which does nothing and imports nothing."""

from __future__ import annotations

from typing import Protocol

from radixa.gateway.request import Request


class Span(Protocol):
    """One request under way."""

    def end(self, status: int, seconds: float) -> None:
        """It is over: what its caller got, and how long it took."""
        ...


class Telemetry(Protocol):
    def begin(self, request: Request, route: str) -> Span:
        """A request came in; `route` is its path as metrics write it. To be called in the task that answers it."""
        ...

    def close(self) -> None:
        """Send what waits to be sent. Blocks for some seconds at most, so for a thread."""
        ...


class _NoSpan:
    def end(self, status: int, seconds: float) -> None:
        pass


class NoTelemetry:
    """Telemetry that is off."""

    _span = _NoSpan()

    def begin(self, request: Request, route: str) -> Span:
        return self._span

    def close(self) -> None:
        pass


NO_TELEMETRY = NoTelemetry()
