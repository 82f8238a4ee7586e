"""The same counts in every API's own words (law 5)."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from radixa.core.base import Usage
from radixa.core.money import FREE
from radixa.gateway.base import encode
from radixa.gateway.catalogue import Offer
from radixa.gateway.dialects.messages.usage import messages_usage
from radixa.gateway.dialects.responses.usage import responses_usage
from radixa.gateway.usage import usage_body
from radixa.store.base import NO_LIMITS

OFFER = Offer("m", "p", "m", FREE, NO_LIMITS, None, None)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    counts = st.integers(0, 1 << 40)
    plain, cached, written, completion = draw(counts), draw(counts), draw(counts), draw(counts)
    return Usage(
        prompt_tokens=plain + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        completion_tokens=completion,
        long_write_tokens=draw(st.integers(0, written)),
        reasoning_tokens=draw(st.integers(0, completion)),
    )


@given(usages())
def test_counts_add_up(usage: Usage) -> None:
    ours = usage_body(usage, OFFER, 1.0)
    theirs = json.loads(encode(messages_usage(usage, ours.radixa)))
    read, written = theirs["cache_read_input_tokens"], theirs["cache_creation_input_tokens"]
    assert theirs["input_tokens"] + read + written == usage.prompt_tokens
    assert sum(theirs["cache_creation"].values()) == written
    assert theirs["output_tokens"] >= theirs["output_tokens_details"]["thinking_tokens"] >= 0
    openais = json.loads(encode(responses_usage(ours)))
    assert openais["input_tokens"] == usage.prompt_tokens
    assert openais["input_tokens_details"] == {"cached_tokens": read, "cache_write_tokens": written}
    assert openais["input_tokens"] + openais["output_tokens"] == openais["total_tokens"]
    assert openais["output_tokens"] == theirs["output_tokens"]
    assert openais["cached_tokens"] == read
    assert openais["radixa"] == theirs["radixa"]


def test_zero_is_written_out() -> None:
    theirs = json.loads(encode(messages_usage(Usage())))
    assert theirs == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"thinking_tokens": 0},
    }
