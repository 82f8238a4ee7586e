"""Fields that a body may have and whoever answers cannot serve: looked at as bytes, never decoded."""

from __future__ import annotations

from typing import Literal

import msgspec

from radixa.core.errors import InvalidRequest, unsupported

NULL = msgspec.Raw(b"null")
"""What such a field is where it is absent."""


def absent() -> msgspec.Raw:
    """The same as a default, which a description of the body does not repeat."""
    return NULL


_KINDS = {b"n": "null", b"[": "an array", b"{": "an object", b'"': "a string", b"t": "a boolean", b"f": "a boolean"}


def refuse(field: msgspec.Raw, param: str, kind: Literal["an array", "an object"], why: str) -> None:
    """InvalidRequest unless `field` is null or an empty array; one of the wrong type is called that."""
    value = bytes(field)
    found = _KINDS.get(value[:1], "a number")
    if found == "null" or (found == kind == "an array" and not value[1:-1].strip()):
        return
    if found != kind:
        raise InvalidRequest(
            f"Invalid type for '{param}': expected {kind}, but got {found} instead.", param=param, code="invalid_type"
        )
    raise unsupported(param, why)
