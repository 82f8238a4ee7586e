"""Bodies in the upstream's own dialect: they go out as they came in, and come back in the upstream's own words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from radixa.core.base import CachePolicy, GenerateChunk, Source
from radixa.core.errors import InvalidRequest
from tests.providers.asking import chunks_of, text_of
from tests.providers.openai.calls import KEY, LONG, chat, provider_on, raw, usage
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn


def events(chunks: list[GenerateChunk]) -> list[Any]:
    return [json.loads(chunk.raw) for chunk in chunks if chunk.raw]


async def test_a_whole_answer_is_one_chunk() -> None:
    stand_in = OpenAIStandIn(key=KEY)
    async with provider_on(stand_in) as provider:
        (chunk,) = await chunks_of(provider, raw(chat("say 3", unknown={"a": [1, 2.50]}, temperature=0.30)))
    assert chunk.text == "one two three"
    assert chunk.finish_reason == "stop"
    assert json.loads(chunk.raw)["choices"][0]["message"]["content"] == "one two three"
    assert usage([chunk]).completion_tokens == 3
    # Only what must change is changed; values below are the same byte by byte.
    (asked,) = stand_in.requests
    assert asked.json == {**chat("say 3", unknown={"a": [1, 2.50]}, temperature=0.30), "model": "gpt-4.1"}
    assert b'{"a": [1, 2.5]}' in asked.body
    assert asked.path == "/v1/chat/completions"


async def test_a_stream_goes_on_event_by_event() -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        body = chat("say 3", stream=True, stream_options={"include_usage": True, "x": 1})
        chunks = await chunks_of(provider, raw(body))
    assert text_of(chunks) == "one two three"
    assert [event["choices"][0]["delta"].get("content") for event in events(chunks)[:-2]] == [
        "",
        "one",
        " two",
        " three",
    ]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    last = json.loads(chunks[-1].raw)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 3
    assert usage(chunks).completion_tokens == 3


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}, {"stream_options": None}])
async def test_15_usage_is_asked_for_whether_the_caller_did_or_not(options: dict[str, Any]) -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        chunks = await chunks_of(provider, raw(chat("say 2", stream=True, **options)))
    assert stand_in.requests[0].json["stream_options"] == {"include_usage": True}
    assert usage(chunks).completion_tokens == 2
    # The event that has nothing but the usage does not go out: the caller did not ask for it.
    assert chunks[-1].raw == b""
    assert all(event["choices"] for event in events(chunks))


async def test_several_answers() -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        chunks = await chunks_of(provider, raw(chat("say 2", stream=True, n=3)))
        (whole,) = await chunks_of(provider, raw(chat("say 2", n=3)))
    assert [text_of(chunks, index) for index in range(3)] == ["one two"] * 3
    assert usage(chunks).completion_tokens == 6
    assert usage([whole]).completion_tokens == 6
    assert len(json.loads(whole.raw)["choices"]) == 3


async def test_tool_calls() -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    async with provider_on(OpenAIStandIn()) as provider:
        chunks = await chunks_of(provider, raw(chat("call it", stream=True, tools=tools)))
        (whole,) = await chunks_of(provider, raw(chat("call it", tools=tools)))
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    assert (calls[0].position, calls[0].id, calls[0].name) == (0, "call_1", "weather")
    assert "".join(call.arguments for call in calls) == '{"city": "Paris"}'
    assert "tool_calls" in {chunk.finish_reason for chunk in chunks}
    assert whole.tool_calls[0].arguments == '{"city": "Paris"}'


async def test_text_completions() -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        chunks = await chunks_of(provider, raw({"prompt": "say 3", "stream": True}, "completions"))
        (whole,) = await chunks_of(provider, raw({"prompt": "say 3", "max_tokens": 2}, "completions"))
    assert text_of(chunks) == "one two three"
    # Complaint 14: no zeros for a streamed text completion.
    assert usage(chunks).completion_tokens == 3
    assert usage(chunks).prompt_tokens > 0
    assert (whole.text, whole.finish_reason) == ("one two", "length")
    assert {asked.path for asked in stand_in.requests} == {"/v1/completions"}


async def test_9_responses() -> None:
    stand_in = OpenAIStandIn()
    body = {"input": LONG + "say 3", "instructions": "Be brief."}
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw(body, "responses"))
        chunks = await chunks_of(provider, raw({**body, "stream": True}, "responses"))
        (whole,) = await chunks_of(provider, raw({**body, "max_output_tokens": 1}, "responses"))
    assert text_of(chunks) == "one two three"
    assert [chunk.event for chunk in chunks][:2] == ["response.created", "response.output_item.added"]
    assert chunks[-1].event == "response.completed"
    assert chunks[-1].finish_reason == "stop"
    # The cached part is not lost where usage is written another way.
    assert usage(chunks).cached_tokens >= 1024
    assert (whole.text, whole.finish_reason) == ("one", "length")
    assert usage([whole]).cached_tokens == usage(chunks).cached_tokens
    assert "stream_options" not in stand_in.requests[1].json


@pytest.mark.parametrize("streamed", [False, True])
async def test_13_cached_tokens_come_streamed_or_not(streamed: bool) -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        first = await chunks_of(provider, raw(chat(LONG + "say 1", stream=streamed)))
        second = await chunks_of(provider, raw(chat(LONG + "say 1", stream=streamed)))
    assert usage(first).cached_tokens == 0
    assert usage(second).cached_tokens >= 1024
    assert usage(second).prompt_tokens == usage(first).prompt_tokens


async def test_deepseek_tells_the_usage_with_the_end() -> None:
    stand_in = OpenAIStandIn("deepseek")
    async with provider_on(stand_in) as provider:
        assert provider.dialects == {"chat"}
        for _ in range(2):
            chunks = await chunks_of(provider, raw(chat(LONG + "say 2", stream=True), model="deepseek-reasoner"))
    assert "".join(chunk.reasoning for chunk in chunks) == "Let me think."
    assert usage(chunks).cached_tokens >= 1024
    assert usage(chunks).reasoning_tokens == 3
    # Its last event has the reason and the usage, and goes out once.
    assert chunks[-1].finish_reason == "stop"
    assert [bool(event.get("usage")) for event in events(chunks)].count(True) == 1


async def test_openrouter_comments_and_costs() -> None:
    async with provider_on(OpenAIStandIn("openrouter")) as provider:
        chunks = await chunks_of(provider, raw(chat("say 2", stream=True, stream_options={"include_usage": True})))
    assert text_of(chunks) == "one two"
    assert json.loads(chunks[-1].raw)["usage"]["cost"] == 0.0012


async def test_16_null_details() -> None:
    async with provider_on(OpenAIStandIn("vllm")) as provider:
        chunks = await chunks_of(provider, raw(chat("say 2", stream=True)))
    assert usage(chunks).cached_tokens == 0
    assert usage(chunks).completion_tokens == 2


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("lie", [b"", b"null", b'{"prompt_tokens": 0, "completion_tokens": 0}', b'"free"'])
async def test_no_usage_at_all_is_estimated(streamed: bool, lie: bytes) -> None:
    stand_in = OpenAIStandIn()
    stand_in.faults = [Fault("lie", usage=lie)]
    async with provider_on(stand_in) as provider:
        chunks = await chunks_of(provider, raw(chat("x" * 4000 + " say 10", stream=streamed)))
    found = usage(chunks)
    assert found.estimated
    assert 1000 < found.prompt_tokens < 1100
    assert found.completion_tokens == -(-len(text_of(chunks)) // 4)


@pytest.mark.parametrize("streamed", [False, True])
async def test_6_a_lie_about_the_cache_is_cut_down(streamed: bool) -> None:
    stand_in = OpenAIStandIn()
    lie = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 500}}
    stand_in.faults = [Fault("lie", usage=json.dumps(lie).encode())]
    async with provider_on(stand_in) as provider:
        found = usage(await chunks_of(provider, raw(chat("say 3", stream=streamed))))
    assert (found.prompt_tokens, found.cached_tokens, found.plain_tokens) == (10, 10, 0)


async def test_fields_of_ours_do_not_go_out() -> None:
    ours = {
        "prompt_cache": True,
        "prefix_caching": True,
        "cache_control": "auto",
        "cache_ttl_seconds": 60,
        "high_priority": True,
        "pin": True,
        "cache_salt": "x",
        "session_id": "s",
    }
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw(chat("say 1", **ours)))
    assert not ours.keys() & stand_in.requests[0].json.keys()


async def test_openai_gets_its_own_breakpoints_only() -> None:
    part = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    parameters = {"type": "object", "properties": {"cache_control": {"type": "string"}}}
    tool = {
        "type": "function",
        "function": {"name": "f", "parameters": parameters},
        "cache_control": {"type": "ephemeral"},
    }
    body = {"messages": [{"role": "user", "content": [part]}], "tools": [tool], "cache_control": {"type": "ephemeral"}}
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw(body))
        await chunks_of(provider, raw(body, model="gpt-5.6"))
        own = {"type": "text", "text": "Hello", "prompt_cache_breakpoint": {"mode": "explicit"}}
        await chunks_of(provider, raw({"messages": [{"role": "user", "content": [own]}]}))
    older, newer, stripped = (asked.json for asked in stand_in.requests)
    plain = {"type": "text", "text": "Hello"}
    assert older["messages"][0]["content"] == stripped["messages"][0]["content"] == [plain]
    marked = {**plain, "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    assert newer["messages"][0]["content"] == [marked]
    for asked in (older, newer):
        assert "cache_control" not in asked
        assert asked["tools"] == [{"type": "function", "function": {"name": "f", "parameters": parameters}}]


async def test_deepseek_is_sent_no_fields_of_openais_cache() -> None:
    cache = {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "implicit"}}
    part = {"type": "text", "text": "Hello", "prompt_cache_breakpoint": {"mode": "explicit"}}
    stand_in = OpenAIStandIn("deepseek")
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw({"messages": [{"role": "user", "content": [part]}], **cache}))
    assert stand_in.requests[0].json == {
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }


async def test_openrouter_keeps_anthropics_breakpoints_and_the_callers_key() -> None:
    part = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    stand_in = OpenAIStandIn("openrouter")
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw({"messages": [{"role": "user", "content": [part]}], "prompt_cache_key": "k"}))
    assert stand_in.requests[0].json["messages"][0]["content"] == [part]
    assert stand_in.requests[0].json["prompt_cache_key"] == "k"


async def test_requests_that_share_a_prefix_are_sent_one_key_and_hit() -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        for question in ("say 1", "say 2", "say 3"):
            body = {"messages": [{"role": "system", "content": LONG}, {"role": "user", "content": question}]}
            chunks = await chunks_of(provider, raw(body))
        await chunks_of(provider, raw(body, namespace="other"))
        await chunks_of(provider, raw({**body, "prompt_cache_key": "mine"}))
        await chunks_of(provider, raw(chat("short")))
    keys = [asked.json.get("prompt_cache_key") for asked in stand_in.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[4:] == ["mine", None]
    assert usage(chunks).cached_tokens >= 1024


@pytest.mark.parametrize(
    ("model", "policy", "sent"),
    [
        ("gpt-4.1", CachePolicy(ttl=3600), {"prompt_cache_retention": "24h"}),
        ("gpt-4.1", CachePolicy(ttl=300), {}),
        ("gpt-4o", CachePolicy(ttl=86_400), {}),
        ("gpt-5.6", CachePolicy(ttl=86_400), {}),
        ("gpt-5.6", CachePolicy(write=False), {"prompt_cache_options": {"mode": "explicit"}}),
        ("gpt-4.1", CachePolicy(write=False, ttl=3600), {}),
        ("gpt-4.1", CachePolicy(priority=True, pin=True), {}),
    ],
)
async def test_a_policy_in_openais_form(model: str, policy: CachePolicy, sent: dict[str, Any]) -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw(chat("say 1"), model=model, cache=policy))
    assert stand_in.requests[0].json == {**chat("say 1"), "model": model, **sent}


async def test_the_callers_own_retention_is_kept() -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw(chat("say 1", prompt_cache_retention="in_memory"), cache=CachePolicy(ttl=7200)))
    assert stand_in.requests[0].json["prompt_cache_retention"] == "in_memory"


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
async def test_namespaces_are_kept_apart_at_a_shared_server(kind: Any) -> None:
    stand_in = OpenAIStandIn(kind)
    async with provider_on(stand_in) as provider:
        for namespace in ("one", "two", "one"):
            await chunks_of(provider, raw(chat("say 1", cache_salt="theirs"), namespace=namespace))
    first, second, third = (asked.json["cache_salt"] for asked in stand_in.requests)
    assert first == third != second
    assert len(first) == 64


async def test_headers_of_the_dialect_go_on_and_none_that_says_who_asks() -> None:
    stand_in = OpenAIStandIn()
    headers = (("openai-beta", "x"), ("Authorization", "Bearer rx-caller"), ("OpenAI-Organization", "theirs"))
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, raw(chat("say 1"), headers=headers))
    sent = stand_in.requests[0].headers
    assert sent["openai-beta"] == "x"
    assert sent["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in sent


async def test_a_body_that_is_no_object() -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        with pytest.raises(InvalidRequest, match="not a JSON object"):
            await chunks_of(provider, msgspec.structs.replace(raw({}), source=Source("chat", b"[]")))
