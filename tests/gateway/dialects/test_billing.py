"""Claude Code's billing line, made the same in every request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.gateway.dialects.messages.billing import normalised, normalised_text

LINE = "x-anthropic-billing-header: cc_version=2.1.36.f1a; cc_entrypoint=cli; cch=8c07d;"
SAME = "x-anthropic-billing-header: cc_version=2.1.36.000; cc_entrypoint=cli; cch=00000;"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LINE, SAME),
        (LINE + "\nYou are Claude Code. cch=8c07d;", SAME + "\nYou are Claude Code. cch=8c07d;"),
        (LINE.replace("2.1.36.f1a", "2.1.36"), SAME.replace("2.1.36.000", "2.1.36")),
        (LINE.removesuffix(" cch=8c07d;"), SAME.removesuffix(" cch=00000;")),
        (LINE.replace("8c07d;", "8C07D"), SAME.replace("00000;", "00000")),
        (LINE + " cc_workload=cron;", SAME + " cc_workload=cron;"),
        (" " + LINE, " " + LINE),
        ("cch=8c07d;", "cch=8c07d;"),
        ("", ""),
    ],
)
def test_only_the_hashes_of_the_first_line_change(text: str, expected: str) -> None:
    assert normalised_text(text) == expected
    assert len(normalised_text(text)) == len(text)


def body(system: Any, **fields: Any) -> bytes:
    return json.dumps(
        {"model": "m", "system": system, "messages": [{"role": "user", "content": "é"}]} | fields
    ).encode()


def test_a_body_keeps_everything_else_as_it_came() -> None:
    blocks = [
        {"type": "text", "text": LINE, "cache_control": {"type": "ephemeral"}, "unknown": 1.50},
        {"type": "text", "text": LINE},
    ]
    raw = body(blocks, temperature=1.5, metadata={"user_id": "u"}).replace(b": 1.5", b":  1.50")
    found = normalised(raw)
    expected = json.loads(raw)
    expected["system"][0]["text"] = SAME
    assert json.loads(found) == expected
    assert list(json.loads(found)) == list(expected)
    # Values that do not change are not even written anew.
    assert b"1.50" in found
    assert b"\\u00e9" in found


def test_a_system_prompt_that_is_one_text() -> None:
    assert json.loads(normalised(body(LINE + "\n\nYou are"))) == json.loads(body(SAME + "\n\nYou are"))


@pytest.mark.parametrize(
    "raw",
    [
        body([{"type": "text", "text": "You are"}, {"type": "text", "text": LINE}]),
        body("be brief", messages=[{"role": "user", "content": LINE}]),
        body([]),
        body(None),
        body(5, messages=LINE),
        body([5, LINE]),
        body([{"type": "text", "text": 5}, LINE]),
        body([{"type": "image", "source": LINE}]),
        b'"' + LINE.encode() + b'"',
        b'{"system": "' + LINE.encode(),
        b'{"messages": "' + LINE.encode() + b'"}',
        b"\xff" + LINE.encode(),
        b"[" * 100_000 + LINE.encode(),
        body(SAME),
    ],
)
def test_other_bodies_come_back_as_they_are(raw: bytes) -> None:
    assert normalised(raw) is raw


@given(st.text(st.characters(codec="utf-8")), st.text(alphabet="0123456789abcdef", min_size=1, max_size=8))
def test_two_requests_that_differ_in_their_hash_become_one(rest: str, found: str) -> None:
    one = LINE.replace("8c07d", found) + "\n" + rest
    other = LINE.replace("8c07d", found[::-1]) + "\n" + rest
    assert normalised_text(one) == normalised_text(other)
    assert normalised_text(normalised_text(one)) == normalised_text(one)
