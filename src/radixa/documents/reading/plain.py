"""Text without marks: paragraphs are what empty lines set apart."""

from __future__ import annotations

import codecs
import re

from radixa.core.errors import InvalidRequest, shown
from radixa.documents.base import Section

_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_UNKEPT = re.compile("[\0\ud800-\udfff]")
_MARKED = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decoded(name: str, data: bytes) -> str:
    """UTF-8, or UTF-16 that says so. InvalidRequest for anything else."""
    encoding = next((name for mark, name in _MARKED.items() if data.startswith(mark)), "utf-8")
    try:
        return kept(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"The document '{shown(name)}' is no text in UTF-8 (byte {error.start}). Expected text, Markdown, HTML or "
            "PDF.",
            param="documents",
            code="invalid_encoding",
        ) from error


def kept(text: str) -> str:
    """`text` without what a database cannot keep, with line ends of one kind."""
    return _UNKEPT.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def paragraphs(text: str) -> tuple[str, ...]:
    """What stands between empty lines."""
    found = (block.strip("\n").rstrip() for block in _EMPTY_LINES.split(text))
    return tuple(block for block in found if block.strip())


def text_sections(text: str) -> list[Section]:
    return [Section((), paragraphs(text))]
