"""Anthropic's counts as one usage that adds up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.base import CachePolicy, Usage
from radixa.providers.anthropic.provider import AnthropicProvider
from radixa.providers.anthropic.usage import Counter
from tests.providers.anthropic.conftest import asked, raw
from tests.providers.asking import chunks_of
from tests.upstreams.anthropic import AnthropicStandIn
from tests.upstreams.base import Fault

LONG = "A long system prompt. " * 400


def adds_up(usage: Usage) -> bool:
    return min(usage.cached_tokens, usage.cache_write_tokens, usage.plain_tokens, usage.completion_tokens) >= 0


anything: Any = st.one_of(
    st.none(), st.integers(-5, 2**40), st.floats(), st.text(max_size=3), st.booleans(), st.just([])
)
usages = st.one_of(
    st.none(),
    st.lists(st.integers()),
    st.dictionaries(
        st.sampled_from(
            ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "other")
        ),
        anything,
    ),
    st.fixed_dictionaries(
        {"input_tokens": st.integers(0, 9), "cache_creation": st.dictionaries(
            st.sampled_from(("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")), anything
        ), "output_tokens_details": st.one_of(st.none(), st.fixed_dictionaries({"thinking_tokens": anything}))}
    ),
)  # fmt: skip


@given(st.lists(usages, max_size=4), st.integers(0, 10_000), st.integers(0, 10_000))
def test_whatever_is_said_adds_up(said: list[Any], sent: int, delivered: int) -> None:
    counter = Counter(sent)
    counter.delivered = delivered
    for usage in said:
        counter.add(usage)
    found = counter.usage
    assert adds_up(found)
    assert found.prompt_tokens > 0
    assert found.long_write_tokens <= found.cache_write_tokens
    assert found.reasoning_tokens <= found.completion_tokens


def test_cached_tokens_stand_beside_the_input() -> None:
    counter = Counter(0)
    counter.add({"input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3_000})
    counter.add({"output_tokens": 7, "cache_read_input_tokens": None})
    found = counter.usage
    assert (found.prompt_tokens, found.cached_tokens, found.cache_write_tokens) == (3_210, 3_000, 200)
    assert (found.plain_tokens, found.completion_tokens, found.estimated) == (10, 7, False)


def test_counts_of_a_stream_are_cumulative() -> None:
    counter = Counter(0)
    counter.add({"input_tokens": 10, "output_tokens": 1})
    counter.add({"input_tokens": 12, "output_tokens": 30})
    counter.add({"output_tokens": 40})
    assert (counter.usage.prompt_tokens, counter.usage.completion_tokens) == (12, 40)


def test_writes_that_only_the_breakdown_names() -> None:
    counter = Counter(0)
    kept = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 50}
    counter.add({"input_tokens": 10, "output_tokens": 1, "cache_creation": kept})
    assert (counter.usage.cache_write_tokens, counter.usage.long_write_tokens) == (150, 50)


@pytest.mark.parametrize("usage_at", ["both", "end"])
async def test_all_ways_to_ask_count_the_same(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn, usage_at: Any
) -> None:
    upstream.usage_at = usage_at
    keep = CachePolicy(ttl=3_600)
    body = {"system": LONG, "messages": [{"role": "user", "content": "Hello"}]}
    first = (await chunks_of(anthropic, raw(body, cache=keep)))[-1].usage
    whole = (await chunks_of(anthropic, raw(body, cache=keep)))[-1].usage
    stream = (await chunks_of(anthropic, raw(body | {"stream": True}, cache=keep)))[-1].usage
    assert first is not None
    assert first.long_write_tokens == first.cache_write_tokens == first.prompt_tokens
    assert whole == stream
    assert whole is not None
    assert whole.cached_tokens == whole.prompt_tokens == first.prompt_tokens


async def test_a_stream_whose_upstream_never_counts_is_estimated(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    upstream.usage_at = "none"
    usage = (await chunks_of(anthropic, asked("Hello there, how are you?")))[-1].usage
    assert usage is not None
    assert usage.estimated
    assert adds_up(usage)
    assert usage.completion_tokens == -(-len("You said: Hello there, how are you?") // 4)


@pytest.mark.parametrize(
    "said", [{"input_tokens": -5, "output_tokens": "3"}, {"cache_read_input_tokens": 10**12}, None]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_lies(anthropic: AnthropicProvider, upstream: AnthropicStandIn, said: Any, stream: bool) -> None:
    upstream.faults = [Fault("lie", usage=msgspec.json.encode(said) if said else b"")]
    usage = (await chunks_of(anthropic, raw({"stream": stream})))[-1].usage
    assert usage is not None
    assert usage.estimated
    assert adds_up(usage)
