"""Forms with files, as clients send them."""

from __future__ import annotations

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.errors import InvalidRequest
from radixa.gateway.multipart import Part, parts

KIND = "multipart/form-data; boundary=xx"


@given(st.lists(st.binary(max_size=60).filter(lambda data: b"\r\n--xx" not in b"\r\n" + data), max_size=4))
def test_the_bytes_of_files_come_as_they_are(files: list[bytes]) -> None:
    body = b"".join(
        b'--xx\r\nContent-Disposition: form-data; name="file"; filename="f%d"\r\n\r\n%b\r\n' % (at, data)
        for at, data in enumerate(files)
    )
    found = parts(KIND, body + b"--xx--\r\n", 4)
    assert found == [Part("file", f"f{at}", "", data) for at, data in enumerate(files)]


async def test_what_a_client_writes_is_read() -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("note", "words")
    form.add_field("file", b"%PDF \r\n\r\n", filename="ä b.pdf", content_type="application/pdf")
    writer = form()
    sent = await writer.as_bytes()
    found = parts(writer.headers["Content-Type"], sent, 2)
    assert [(part.name, part.filename, part.data) for part in found] == [
        ("note", "", b"words"),
        ("file", "ä b.pdf", b"%PDF \r\n\r\n"),
    ]
    assert found[1].content_type == "application/pdf"


def test_a_name_that_says_its_encoding() -> None:
    head = b"Content-Disposition: form-data; name=\"file\"; filename*=utf-8''na%C3%AFve.txt"
    (found,) = parts(KIND, b"--xx\r\n" + head + b"\r\n\r\nwords\r\n--xx--", 1)
    assert (found.name, found.filename) == ("file", "naïve.txt")


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("multipart/form-data", b"--xx--", "no boundary"),
        (KIND, b"", "does not end with its boundary"),
        (KIND, b"--xx\r\n\r\nwords", "does not end with its boundary"),
        (KIND, b"--xx\r\nwords\r\n--xx--", "no empty line"),
        (KIND, b"--xx\r\nContent-Disposition: form-data\r\n\r\nwords\r\n--xx--", "no name"),
        (KIND, b"--xx\r\n\r\na\r\n--xx\r\n\r\nb\r\n--xx--", "2 parts. Expected at most 1"),
    ],
)
def test_what_is_no_form_says_why(kind: str, body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        parts(kind, body, 1)
