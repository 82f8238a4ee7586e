"""Bodies of `multipart/form-data`, as browsers and `curl -F` send files."""

from __future__ import annotations

import re
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import NamedTuple

from radixa.core.errors import InvalidRequest

_HEAD = re.compile(rb"([\w-]+)[ \t]*:[ \t]*([^\r\n]*)")


class Part(NamedTuple):
    """A field of a form. `filename` is empty where it is no file."""

    name: str
    filename: str
    content_type: str
    data: bytes


def parts(content_type: str, body: bytes, most: int) -> list[Part]:
    """InvalidRequest where the body is not what its content type says, or has more than `most` parts."""
    boundary = _parameters(content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise _broken("its Content-Type names no boundary")
    mark = b"--" + boundary.encode("latin-1", "replace")
    # The first mark may open the body; before every other one stands a line's end that belongs to it.
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise _broken("it does not end with its boundary")
    if len(pieces) - 2 > most:
        raise _broken(f"it has {len(pieces) - 2} parts. Expected at most {most}")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, found, data = piece.lstrip(b" \t").partition(b"\r\n\r\n")
    if not found:
        raise _broken("a part has no empty line after its headers")
    headers = {name.lower(): value.decode("utf-8", "replace") for name, value in _HEAD.findall(head)}
    disposition = _parameters(headers.get(b"content-disposition", ""))
    name, filename = (collapse_rfc2231_value(disposition.get_param(name, "")) for name in ("name", "filename"))
    if not name:
        raise _broken("a part has no name")
    return Part(name, filename, headers.get(b"content-type", ""), data)


def _parameters(header: str) -> Message:
    """What stands behind the semicolons of a header."""
    message = Message()
    message["Content-Type"] = header.replace("form-data", "form/data", 1) if header.startswith("form-data") else header
    return message


def _broken(why: str) -> InvalidRequest:
    return InvalidRequest(f"We could not read the body as multipart/form-data: {why}.", code="invalid_multipart")
