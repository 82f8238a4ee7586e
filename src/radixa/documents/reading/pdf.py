"""PDF: the text of each page, under the page's number."""

from __future__ import annotations

import logging
from io import BytesIO

from radixa.core.errors import InvalidRequest, shown
from radixa.documents.base import Section
from radixa.documents.reading.plain import kept, paragraphs

MOST_PAGES = 2_000
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, AssertionError)
"""A broken file can fail anywhere in the parser."""


def pdf_sections(name: str, data: bytes) -> list[Section]:
    """InvalidRequest where it cannot be read, is locked, or has too many pages."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    # It says of many files in use that they are not as they should be, and reads them all the same.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _refused(name, "it is locked with a password")
        pages = len(reader.pages)
        if pages > MOST_PAGES:
            raise _refused(name, f"it has {pages} pages, and at most {MOST_PAGES} are read")
        texts = [kept(page.extract_text()) for page in reader.pages]
    except (PyPdfError, *_BROKEN) as error:
        raise _refused(name, " ".join(str(error).split()) or type(error).__name__) from error
    return [Section((f"Page {number}",), paragraphs(text)) for number, text in enumerate(texts, 1) if text.strip()]


def _refused(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The document '{shown(name)}' cannot be read as PDF: {shown(why)}.", param="documents", code="unreadable_pdf"
    )
