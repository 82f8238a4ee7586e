"""What is read of files: their words, under their headings."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from radixa.core.errors import InvalidRequest
from radixa.documents.base import Section
from radixa.documents.reading import apart
from radixa.documents.reading.apart import SMALL_BYTES, read_apart
from radixa.documents.reading.read import kind_of, read


def pdf(*pages: str, password: str = "") -> bytes:
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
        named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
        fonts = DictionaryObject({NameObject("/F1"): named})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject()
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n"))
        content.set_data(f"BT /F1 12 Tf 10 180 Td {lines}ET".encode())
        page[NameObject("/Contents")] = content
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def test_text_is_cut_at_empty_lines() -> None:
    found = read("a.txt", "text", b"\xef\xbb\xbfone\r\ntwo\r\n \t\r\n\r\n  three\n")
    assert found == [Section((), ("one\ntwo", "  three"))]


def test_text_in_utf_16_that_says_so() -> None:
    assert read("a.txt", "text", "né".encode("utf-16")) == [Section((), ("né",))]


def test_what_no_database_keeps_is_left_out() -> None:
    assert read("a.txt", "text", b"a\0b") == [Section((), ("ab",))]


def test_markdown_keeps_its_blocks_under_their_headings() -> None:
    text = "---\ntitle: x\n---\nbefore\n\n# A `code`\n\nintro\n\n- a\n- b\n\n## B\n\n| a |\n|---|\n| 1 |\n\n"
    text += "```\n# no heading\n\nmore\n```\n\nSetext\n======\nlast <b>x</b>"
    assert read("a.md", "markdown", text.encode()) == [
        Section((), ("before",)),
        Section(("A code",), ("intro", "- a\n- b")),
        Section(("A code", "B"), ("| a |\n|---|\n| 1 |", "```\n# no heading\n\nmore\n```")),
        Section(("Setext",), ("last <b>x</b>",)),
    ]


def test_a_heading_with_nothing_under_it_is_text() -> None:
    found = read("a.md", "markdown", b"# A\n\n## Bare\n\n## B\n\nwords\n\n# Last")
    assert found == [Section(("A",), ("Bare",)), Section(("A", "B"), ("words",)), Section((), ("Last",))]


def test_reading_apart_gives_the_same_and_ends_in_time() -> None:
    long = b"# A\n\n" + b"words " * SMALL_BYTES
    for name, kind, data in (("a.md", "markdown", long), ("a.pdf", "pdf", pdf("One")), ("a.txt", "text", b"x")):
        assert read_apart(name, kind, data) == read(name, kind, data)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=r"'a\.pdf' cannot be read as PDF") as refused:
        read_apart("a.pdf", "pdf", b"%PDF-1.4\n")
    assert (refused.value.param, refused.value.code) == ("documents", "unreadable_pdf")
    with pytest.raises(InvalidRequest, match=r"'a\.html' cannot be read: that takes longer than 1 seconds"):
        read_apart("a.html", "html", b"<div>" * 100_000 + b"a", seconds=1)


def test_readers_end_with_whoever_asked_them() -> None:
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read_apart, "a.html", "html", b"<div>" * 100_000 + b"a")
        while not apart._readers and not reading.done():
            time.sleep(0.01)
        apart.end_readers()
        with pytest.raises(InvalidRequest, match=r"its reader broke off \(-9\)"):
            reading.result()


def test_a_rule_at_the_beginning_is_no_front_matter_without_its_end() -> None:
    assert read("a.md", "markdown", b"---\nwords") == [Section((), ("---", "words"))]


def test_html_gives_what_a_reader_sees() -> None:
    page = """<!doctype html><html><head><title>no</title></head><body><nav>no</nav>
      <h1>A <code>x</code><a href="#">¶</a></h1><p>one\n   <b>two</b><br>three</p>loose
      <script>no()</script><div><h2>B</h2><ul><li>a</li><li>b &amp; c</li></ul></div>
      <table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2 <i>x</i></td></tr></table>
      <pre>a\n  b\n</pre></body></html>"""
    assert read("a.html", "html", page.encode()) == [
        Section(("A x",), ("one two\nthree", "loose")),
        Section(("A x", "B"), ("- a", "- b & c", "k | v", "1 | 2 x", "a\n  b")),
    ]


def test_html_that_says_where_its_text_is() -> None:
    page = "<body><div>menu</div><main><div role=navigation>next</div><p>words</p></main><p>foot</p></body>"
    assert read("a.html", "html", page.encode()) == [Section((), ("words",))]


def test_pdf_has_its_pages_as_headings() -> None:
    assert read("a.pdf", "pdf", pdf("first\nmore", "", "third")) == [
        Section(("Page 1",), ("first\nmore",)),
        Section(("Page 3",), ("third",)),
    ]


def test_a_pdf_that_is_locked_for_changes_alone_is_read() -> None:
    writer = PdfWriter(BytesIO(pdf("words")))
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    file = BytesIO()
    writer.write(file)
    assert read("a.pdf", "pdf", file.getvalue()) == [Section(("Page 1",), ("words",))]


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("pdf", b"%PDF-1.7 and nothing", "cannot be read as PDF"),
        ("pdf", b"no PDF", "cannot be read as PDF"),
        ("pdf", pdf("secret", password="key"), "locked with a password"),
        ("pdf", pdf(""), "holds no text, and pictures"),
        ("text", b"caf\xe9", r"no text in UTF-8 \(byte 3\)"),
        ("text", b" \n\n", "holds no text"),
        ("html", b"<script>x</script>", "holds no text"),
        ("markdown", b"[a]: /url\n", "holds no text"),
    ],
)
def test_what_cannot_be_read_says_why(kind: str, data: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"'letter'.*{says}|{says}") as refused:
        read("letter", kind, data)  # type: ignore[arg-type]
    assert "'letter'" in refused.value.message
    assert refused.value.param == "documents"


@pytest.mark.parametrize(
    ("name", "data", "media_type", "kind"),
    [
        ("a.MD", b"", "", "markdown"),
        ("a.htm", b"", "", "html"),
        ("a", b"%PDF-1.4", "", "pdf"),
        ("a.txt", b"%PDF-1.4", "", "pdf"),
        ("a", b"  <!DOCTYPE HTML>", "", "html"),
        ("a.py", b"<b>", "", "text"),
        ("a.txt", b"", "text/markdown; charset=utf-8", "markdown"),
        ("a.md", b"", "text/plain", "markdown"),
        ("a", b"", "application/octet-stream", "text"),
    ],
)
def test_kinds_are_known_by_what_is_said_and_by_what_is_there(
    name: str, data: bytes, media_type: str, kind: str
) -> None:
    assert kind_of(name, data, media_type) == kind
