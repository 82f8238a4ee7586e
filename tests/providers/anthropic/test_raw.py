"""Bodies of Anthropic's own dialect go on as they came."""

from __future__ import annotations

import anthropic.types
import msgspec
import pytest

from radixa.core.base import CachePolicy, Source
from radixa.core.errors import InvalidRequest
from radixa.providers.anthropic.provider import AnthropicProvider
from tests.providers.anthropic.conftest import MODEL, asked, marks_of, raw
from tests.providers.asking import chunks_of, text_of
from tests.upstreams.anthropic import AnthropicStandIn


async def test_only_the_model_and_our_own_fields_are_changed(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    body = {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", "citations": []}]}],
        "metadata": {"user_id": "u"},
    }
    ours = {
        "prompt_cache": True, "prefix_caching": True, "cache_control": "auto", "cache_ttl_seconds": 60,
        "high_priority": True, "pin": True, "cache_salt": "s", "session_id": "i", "prompt_cache_key": "k",
        "prompt_cache_retention": "24h", "prompt_cache_options": {},
    }  # fmt: skip
    await chunks_of(anthropic, raw(body | ours, cache=CachePolicy(explicit=True)))
    assert upstream.requests[0].json == body | {"model": MODEL, "max_tokens": 64}


async def test_an_ephemeral_cache_control_of_the_whole_body_goes_on(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    await chunks_of(anthropic, raw({"cache_control": control}))
    assert upstream.requests[0].json["cache_control"] == control
    assert not marks_of(upstream.requests[0].json)


async def test_a_whole_answer_is_one_chunk_word_for_word(anthropic: AnthropicProvider) -> None:
    (chunk,) = await chunks_of(anthropic, raw({}))
    message = anthropic_message(chunk.raw)
    assert message.content[0].text == chunk.text == "You said: Hello"  # type: ignore[union-attr]
    assert chunk.finish_reason == "stop"
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == message.usage.input_tokens


def anthropic_message(body: bytes) -> anthropic.types.Message:
    return anthropic.types.Message.model_validate_json(body)


async def test_a_stream_is_passed_on_event_by_event(anthropic: AnthropicProvider) -> None:
    chunks = await chunks_of(anthropic, raw({"stream": True, "messages": [{"role": "user", "content": "THINK"}]}))
    assert [chunk.event for chunk in chunks[:3]] == ["message_start", "content_block_start", "ping"]
    assert [chunk.event for chunk in chunks[-2:]] == ["message_delta", "message_stop"]
    assert all(msgspec.json.decode(chunk.raw)["type"] == chunk.event for chunk in chunks)
    assert text_of(chunks) == "You said: THINK"
    assert "".join(chunk.reasoning for chunk in chunks) == "Let me see."
    assert chunks[-1].usage is not None
    assert chunks[-2].finish_reason == "stop"


async def test_the_callers_version_and_betas_go_on_and_nothing_else(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    headers = (("anthropic-beta", "x-1,y-2"), ("anthropic-version", "2023-01-01"), ("x-api-key", "rx-of-the-caller"))
    await chunks_of(anthropic, raw({}, headers=headers))
    await chunks_of(anthropic, raw({}))
    first, second = (request.headers for request in upstream.requests)
    assert (first["anthropic-beta"], first["anthropic-version"]) == ("x-1,y-2", "2023-01-01")
    assert second["anthropic-version"] == "2023-06-01"
    assert "rx-of" not in first["x-api-key"]


async def test_counting_sends_what_makes_up_the_prompt(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    assert await anthropic.count_tokens(raw({"system": "x" * 400, "temperature": 0.5, "stop_sequences": ["a"]})) == 102
    assert await anthropic.count_tokens(asked("x" * 40)) == 10
    assert set(upstream.requests[0].json) == {"model", "messages", "system"}


async def test_what_is_no_object_is_refused(anthropic: AnthropicProvider) -> None:
    with pytest.raises(InvalidRequest, match="not a JSON object"):
        await chunks_of(anthropic, raw({}, source=Source("messages", b"[1]")))
