"""Usage in every shape there is, and in those that cannot be: the counts always add up.

Numbers in the names are those of the complaints that people have about other gateways.
"""

from __future__ import annotations

import logging

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.base import Usage
from radixa.providers.openai.usage import completed, estimated, read_usage


def read(**fields: object) -> Usage | None:
    return read_usage(msgspec.json.encode(fields), "acme")


def counts(usage: Usage | None) -> tuple[int, int, int, int, int]:
    """Prompt, cached, written, completion, reasoning."""
    assert usage is not None
    assert not usage.estimated
    return (
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
    )


def test_openai_chat() -> None:
    usage = read(
        prompt_tokens=2006,
        completion_tokens=300,
        total_tokens=2306,
        prompt_tokens_details={"cached_tokens": 1920, "audio_tokens": 0},
        completion_tokens_details={"reasoning_tokens": 100},
    )
    assert counts(usage) == (2006, 1920, 0, 300, 100)


def test_openai_that_says_what_it_wrote() -> None:
    usage = read(
        prompt_tokens=5000,
        completion_tokens=1,
        total_tokens=5001,
        prompt_tokens_details={
            "cached_tokens": 3000,
            "cache_write_tokens": 1500,
            "cache_write_tokens_details": {"ttl_30m_tokens": 500, "ttl_12h_tokens": 1000},
        },
    )
    assert counts(usage) == (5000, 3000, 1500, 1, 0)
    assert usage is not None
    assert usage.long_write_tokens == 1000


def test_9_openai_responses() -> None:
    usage = read(
        input_tokens=2006,
        input_tokens_details={"cached_tokens": 1920, "cache_write_tokens": 86},
        output_tokens=300,
        output_tokens_details={"reasoning_tokens": 64},
        total_tokens=2306,
    )
    assert counts(usage) == (2006, 1920, 86, 300, 64)


def test_deepseek() -> None:
    usage = read(
        prompt_tokens=1000,
        prompt_cache_hit_tokens=640,
        prompt_cache_miss_tokens=360,
        completion_tokens=20,
        total_tokens=1020,
    )
    assert counts(usage) == (1000, 640, 0, 20, 0)
    assert counts(read(prompt_cache_hit_tokens=640, prompt_cache_miss_tokens=360)) == (1000, 640, 0, 0, 0)


def test_openrouter() -> None:
    usage = read(
        prompt_tokens=1000,
        completion_tokens=20,
        total_tokens=1020,
        cost=0.0123,
        cost_details={"upstream_inference_cost": None},
        prompt_tokens_details={"cached_tokens": 100, "cache_write_tokens": 900, "audio_tokens": 0},
    )
    assert counts(usage) == (1000, 100, 900, 20, 0)


@pytest.mark.parametrize("details", [None, {}, {"cached_tokens": None}, [], "none"])
def test_16_details_that_are_null(details: object) -> None:
    usage = read(prompt_tokens=10, completion_tokens=2, total_tokens=12, prompt_tokens_details=details)
    assert counts(usage) == (10, 0, 0, 2, 0)


def test_3_6_7_11_counts_of_anthropics_kind_stand_beside_the_prompt() -> None:
    usage = read(
        prompt_tokens=50,
        completion_tokens=10,
        total_tokens=2060,
        cache_read_input_tokens=1500,
        cache_creation_input_tokens=500,
    )
    assert counts(usage) == (2050, 1500, 500, 10, 0)


def test_11_details_beside_the_prompt_too() -> None:
    usage = read(
        prompt_tokens=50, completion_tokens=10, total_tokens=1560, prompt_tokens_details={"cached_tokens": 1500}
    )
    assert counts(usage) == (1550, 1500, 0, 10, 0)


def test_12_counts_within_the_prompt_are_not_added_again() -> None:
    usage = read(
        prompt_tokens=2050,
        completion_tokens=10,
        total_tokens=2060,
        cache_read_input_tokens=1500,
        cache_creation_input_tokens=500,
    )
    assert counts(usage) == (2050, 1500, 500, 10, 0)


def test_thoughts_that_are_counted_beside_the_completion() -> None:
    usage = read(
        prompt_tokens=50,
        completion_tokens=10,
        total_tokens=160,
        completion_tokens_details={"reasoning_tokens": 100},
    )
    assert counts(usage) == (50, 0, 0, 110, 100)


def test_6_more_cached_than_there_was_is_cut_down_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "radixa.providers"):
        usage = read(
            prompt_tokens=100,
            completion_tokens=5,
            total_tokens=105,
            prompt_tokens_details={"cached_tokens": 300, "cache_write_tokens": 7},
            completion_tokens_details={"reasoning_tokens": 9},
        )
    assert counts(usage) == (100, 100, 0, 5, 5)
    assert "acme reports a usage that cannot be: 300 tokens cached, 7 written" in caplog.text


@pytest.mark.parametrize(
    ("given", "read_as"), [("12", 12), (12.0, 12), (-5, 0), (12.5, 0), (True, 0), ([1], 0), ("many", 0), (10**12, 0)]
)
def test_counts_that_are_none(given: object, read_as: int) -> None:
    usage = read(prompt_tokens=100, completion_tokens=given, prompt_tokens_details={"cached_tokens": given})
    assert counts(usage) == (100, read_as, 0, read_as, 0)


@pytest.mark.parametrize(
    "raw", [b"null", b"{}", b"[]", b'"x"', b"{", b'{"prompt_tokens": 0}', b'{"prompt_tokens": -1}']
)
def test_14_what_counts_no_prompt_is_no_usage(raw: bytes) -> None:
    assert read_usage(raw, "acme") is None


wild = st.one_of(
    st.none(), st.integers(-(2**70), 2**70), st.integers(0, 3000), st.floats(), st.text(max_size=5), st.booleans()
)
names = st.sampled_from(
    [
        "prompt_tokens",
        "input_tokens",
        "completion_tokens",
        "output_tokens",
        "total_tokens",
        "prompt_cache_hit_tokens",
        "prompt_cache_miss_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cached_tokens",
    ]
)
inner = st.dictionaries(
    st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens", "cache_write_tokens_details"]), wild
)
details = st.sampled_from(["prompt_tokens_details", "input_tokens_details", "completion_tokens_details"])


@given(flat=st.dictionaries(names, wild), nested=st.dictionaries(details, st.one_of(inner, wild)))
def test_whatever_is_said_adds_up(flat: dict[str, object], nested: dict[str, object]) -> None:
    usage = read_usage(msgspec.json.encode({**flat, **nested}), "acme")
    if usage is None:
        return
    assert usage.prompt_tokens == usage.cached_tokens + usage.cache_write_tokens + usage.plain_tokens
    assert min(usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens, usage.plain_tokens) >= 0
    assert 0 <= usage.long_write_tokens <= usage.cache_write_tokens
    assert 0 <= usage.reasoning_tokens <= usage.completion_tokens


def test_an_estimate_is_four_bytes_a_token_and_counts_no_pictures() -> None:
    assert estimated(b"x" * 401, 9) == Usage(prompt_tokens=101, completion_tokens=3, estimated=True)
    picture = b'"data:image/png;base64,' + b"A" * 100_000 + b'"'
    assert estimated(picture, 0).prompt_tokens < 10
    assert estimated(b"", 0).prompt_tokens == 1


def test_14_no_completion_where_there_was_one_is_estimated() -> None:
    usage = Usage(prompt_tokens=10)
    assert completed(usage, 0) == usage
    assert completed(usage, 40) == Usage(prompt_tokens=10, completion_tokens=10, estimated=True)
    assert completed(Usage(prompt_tokens=10, completion_tokens=3), 40).completion_tokens == 3
