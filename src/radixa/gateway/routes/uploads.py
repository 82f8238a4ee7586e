"""Documents as requests bring them: in JSON, as a form's files, or as the body itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from radixa.core.errors import InvalidRequest
from radixa.documents.base import Kind
from radixa.documents.reading.read import MEDIA_TYPES, kind_of
from radixa.gateway.multipart import parts

MOST_FILES = 1_000


class DocumentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document: its `text`, or for PDF its `data` in base64."""

    name: Annotated[str, Meta(min_length=1, max_length=500)]
    text: str | None = None
    data: str | None = None
    format: Kind | None = None
    """By the name's suffix, or by how it begins, where it is not said."""


class Upload(NamedTuple):
    name: str
    kind: Kind
    data: bytes


def given(bodies: Sequence[DocumentBody]) -> list[Upload]:
    """The documents of a body of JSON. InvalidRequest names the field."""
    return [_given(body, f"documents[{place}]") for place, body in enumerate(bodies)]


def uploaded(content_type: str, raw: bytes, name: str) -> list[Upload] | None:
    """The files of a request that brings them itself; None where its body is JSON. `name`: of one that is the body."""
    media = content_type.partition(";")[0].strip().lower()
    if media == "multipart/form-data":
        files = [part for part in parts(content_type, raw, 2 * MOST_FILES) if part.filename]
        if not 1 <= len(files) <= MOST_FILES:
            raise InvalidRequest(
                f"The form has {len(files)} files. Expected 1 to {MOST_FILES}.", param="documents", code="invalid_value"
            )
        return [
            Upload(part.filename, kind_of(part.filename, part.data, part.content_type), part.data) for part in files
        ]
    if media not in MEDIA_TYPES:
        return None
    if not name:
        raise InvalidRequest(
            "Missing required parameter: 'document'. A document that is the body itself is named by ?document=.",
            param="document",
            code="missing_required_parameter",
        )
    return [Upload(name, kind_of(name, raw, media), raw)]


def _given(body: DocumentBody, place: str) -> Upload:
    if (body.text is None) == (body.data is None):
        got = "neither" if body.text is None else "both"
        raise InvalidRequest(
            f"Expected exactly one of '{place}.text' and '{place}.data', but got {got}.",
            param=f"{place}.text",
            code="missing_required_parameter" if body.text is None else "invalid_value",
        )
    data = (body.text or "").encode("utf-8", "surrogatepass") if body.data is None else _decoded(body.data, place)
    kind = body.format or kind_of(body.name, data)
    if body.data is None and kind == "pdf":
        raise InvalidRequest(
            f"Invalid '{place}.text': a PDF is no text. Expected '{place}.data', the file in base64.",
            param=f"{place}.text",
            code="invalid_value",
        )
    return Upload(body.name, kind, data)


def _decoded(data: str, place: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            f"Invalid '{place}.data': it is no base64 ({error}).", param=f"{place}.data", code="invalid_value"
        ) from error
