"""A file's bytes as sections, whatever kind it is of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import get_args

from radixa.core.errors import InvalidRequest, shown
from radixa.documents.base import Kind, Section
from radixa.documents.reading.html import html_sections
from radixa.documents.reading.markdown import markdown_sections
from radixa.documents.reading.pdf import pdf_sections
from radixa.documents.reading.plain import decoded, text_sections

KINDS: tuple[Kind, ...] = get_args(Kind)

MEDIA_TYPES: dict[str, Kind] = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
}
SUFFIXES: dict[str, Kind] = {
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
}
_OF_TEXT: dict[Kind, Callable[[str], list[Section]]] = {
    "text": text_sections,
    "markdown": markdown_sections,
    "html": html_sections,
}


def kind_of(name: str, data: bytes = b"", media_type: str = "") -> Kind:
    """By what is said of it, by the name's suffix, by how it begins; else it is text."""
    said = MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower())
    if said is not None and said != "text":
        return said
    if data.startswith(b"%PDF-"):
        return "pdf"
    suffix = SUFFIXES.get(PurePath(name).suffix.lower())
    if suffix is not None:
        return suffix
    beginning = data[:256].lstrip().lower()
    return "html" if beginning.startswith((b"<!doctype html", b"<html")) else "text"


def read(name: str, kind: Kind, data: bytes) -> list[Section]:
    """InvalidRequest where the data is not of that kind, or holds no text."""
    sections = pdf_sections(name, data) if kind == "pdf" else _OF_TEXT[kind](decoded(name, data))
    if not any(section.blocks for section in sections):
        scanned = ", and pictures of text are not read" if kind == "pdf" else ""
        raise InvalidRequest(
            f"The document '{shown(name)}' holds no text{scanned}.", param="documents", code="empty_document"
        )
    return sections
