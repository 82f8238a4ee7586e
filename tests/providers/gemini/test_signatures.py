from __future__ import annotations

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from radixa.providers.gemini.signatures import call_id, marked, split, unmarked


@given(st.none() | st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True), st.none() | st.binary(min_size=1))
def test_a_signature_survives_its_way_through_an_id(given_id: str | None, sealed: bytes | None) -> None:
    signature = None if sealed is None else base64.b64encode(sealed).decode()
    found = call_id(given_id, signature)
    # What Anthropic's API allows in an id, the strictest of them.
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", found)
    own, back = split(found)
    assert back == signature
    assert given_id is None or own == given_id


def test_ids_of_others_are_left_as_they_are() -> None:
    for other in ("toolu_01A", "call_9", "", "a-thought-", "a-thought-x", "a-thought-é"):
        assert split(other) == (other, None)
    assert call_id(None, None) != call_id(None, None)


def test_only_gemini_sees_its_own_thoughts() -> None:
    assert unmarked(marked("abc=")) == "abc="
    assert unmarked("abc=") is None
    assert unmarked("") is None
