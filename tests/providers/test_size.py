"""Estimates of what nobody counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.providers.size import BYTES_A_TOKEN, estimated_tokens, utf8_bytes


@given(st.text())
def test_a_text_has_the_bytes_of_its_encoding(text: str) -> None:
    assert utf8_bytes(text) == len(text.encode())


@given(st.integers(0, 10**9))
def test_a_token_that_was_begun_counts(size: int) -> None:
    tokens = estimated_tokens(size)
    assert (tokens - 1) * BYTES_A_TOKEN < size <= tokens * BYTES_A_TOKEN
