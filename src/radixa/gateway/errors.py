"""Errors as OpenAI's API words and shapes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from radixa.core.errors import InvalidRequest, RadixaError


class ErrorShape(NamedTuple):
    """How an API says what went wrong; the texts are the error's and the request's id."""

    status: Callable[[RadixaError], int]
    body: Callable[[RadixaError, str], bytes]
    event: Callable[[RadixaError, str], bytes]
    """What ends a stream."""
    content_type: bytes = b"application/json"


class ErrorBody(msgspec.Struct, frozen=True):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(msgspec.Struct, frozen=True):
    error: ErrorBody


_encode = msgspec.json.Encoder().encode


def error_json(error: RadixaError, request_id: str = "") -> bytes:
    """The body of an error answer, and the `data:` of one in mid-stream."""
    return _encode(ErrorEnvelope(ErrorBody(error.message, error.kind, error.param, error.code)))


def _event(error: RadixaError, request_id: str) -> bytes:
    return b"data: " + error_json(error) + b"\n\n"


OPENAI_ERRORS = ErrorShape(lambda error: error.status, error_json, _event)


def missing(param: str) -> InvalidRequest:
    return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def contradiction(param: str, message: str) -> InvalidRequest:
    """Two fields of one body that cannot both hold; `param` names one of them, `message` both."""
    return InvalidRequest(message, param=param, code="invalid_value")
