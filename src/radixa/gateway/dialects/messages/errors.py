"""Errors as Anthropic's API shapes them."""

from __future__ import annotations

import msgspec

from radixa.core.errors import RadixaError
from radixa.gateway.base import encode
from radixa.gateway.errors import ErrorShape

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class MessagesError(msgspec.Struct, frozen=True):
    type: str
    message: str


class MessagesErrorEnvelope(msgspec.Struct, frozen=True):
    error: MessagesError
    request_id: str
    type: str = "error"


def error_json(error: RadixaError, request_id: str) -> bytes:
    """The body of an error answer, and the `data:` of one in mid-stream."""
    kind = _TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
    return encode(MessagesErrorEnvelope(MessagesError(kind, error.message), request_id))


def error_event(error: RadixaError, request_id: str) -> bytes:
    """What ends a stream that cannot go on."""
    return b"event: error\ndata: " + error_json(error, request_id) + b"\n\n"


def status(error: RadixaError) -> int:
    """Its HTTP status: Anthropic says 529 where others say 503."""
    return 529 if error.status == 503 else error.status


MESSAGES_ERRORS = ErrorShape(status, error_json, error_event)
