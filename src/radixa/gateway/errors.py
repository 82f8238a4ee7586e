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


_SHOWN_CHARACTERS = 100

_encode = msgspec.json.Encoder().encode


def error_json(error: RadixaError) -> bytes:
    """The body of an error answer, and the `data:` of one in mid-stream."""
    return _encode(ErrorEnvelope(ErrorBody(error.message, error.kind, error.param, error.code)))


def shown(value: object) -> str:
    """A caller's value as a message repeats it: enough to recognise it, never megabytes."""
    # Python writes no integer of more than 4,300 digits.
    text = "a very long number" if isinstance(value, int) and value.bit_length() > 4096 else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def unsupported(param: str, what: str) -> InvalidRequest:
    """A parameter that OpenAI has and whoever answers this request cannot serve."""
    return InvalidRequest(f"Unsupported parameter: '{param}': {what}", param=param, code="unsupported_parameter")


def contradiction(param: str, message: str) -> InvalidRequest:
    """Two fields of one body that cannot both hold; `param` names one of them, `message` both."""
    return InvalidRequest(message, param=param, code="invalid_value")
