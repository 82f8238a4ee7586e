"""Errors as OpenAI's API words and shapes them."""

from __future__ import annotations

import msgspec

from radixa.core.errors import InvalidRequest, RadixaError


class ErrorBody(msgspec.Struct, frozen=True):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(msgspec.Struct, frozen=True):
    error: ErrorBody


_encode = msgspec.json.Encoder().encode


def error_json(error: RadixaError) -> bytes:
    """The body of an error answer, and the `data:` of one in mid-stream."""
    return _encode(ErrorEnvelope(ErrorBody(error.message, error.kind, error.param, error.code)))


def unsupported(param: str, what: str) -> InvalidRequest:
    """A parameter that OpenAI has and whoever answers this request cannot serve."""
    return InvalidRequest(f"Unsupported parameter: '{param}': {what}", param=param, code="unsupported_parameter")


def contradiction(param: str, message: str) -> InvalidRequest:
    """Two fields of one body that cannot both hold; `param` names one of them, `message` both."""
    return InvalidRequest(message, param=param, code="invalid_value")
