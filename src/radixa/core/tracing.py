"""What a request that is traced sends along to whoever works for it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})

OUTGOING: ContextVar[Mapping[str, str]] = ContextVar("outgoing", default=_NONE)
"""W3C's `traceparent` and `tracestate` for requests that this task sends; empty where nothing is traced."""
