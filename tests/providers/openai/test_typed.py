"""Requests that came in another dialect: a body is written, and chunks come back without `raw`."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from radixa.core.base import CachePolicy, GenerateRequest, SamplingParams, TextLogprob
from radixa.core.config import ProviderConfig
from radixa.core.conversation import (
    ConversationMessage,
    Image,
    Opaque,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from radixa.core.errors import ConfigError, InvalidRequest
from radixa.core.tokens import pack
from radixa.providers.base import EmbedRequest
from radixa.providers.openai.provider import OpenAIProvider
from tests.providers.asking import chunks_of, said, text_of
from tests.providers.openai.calls import LONG, chat, provider_on, raw, typed, usage
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
TOOL = Tool("weather", "Of a city", SCHEMA, strict=True)


async def sent(request: GenerateRequest, kind: Any = "openai") -> dict[str, Any]:
    """The body that the upstream gets."""
    stand_in = OpenAIStandIn(kind)
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, request)
    found = stand_in.requests[0].json
    assert isinstance(found, dict)
    return found


async def test_a_conversation_is_answered() -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        chunks = await chunks_of(provider, typed(said("say 4"), sampling=SamplingParams(max_tokens=100)))
    assert text_of(chunks) == "one two three four"
    assert all(chunk.raw == b"" for chunk in chunks)
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert usage(chunks).completion_tokens == 4
    assert stand_in.requests[0].json == {
        "model": "gpt-4.1",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "say 4"}],
        "max_completion_tokens": 100,
    }


async def test_nobodys_limit_is_nobodys() -> None:
    request = msgspec.structs.replace(typed(said("say 3")), open_ended=True)
    assert "max_completion_tokens" not in await sent(request)
    assert "max_tokens" not in await sent(request, "vllm")


async def test_every_part_of_a_conversation() -> None:
    body = await sent(
        typed(
            ConversationMessage("system", (Text("Be "), Text("brief."))),
            ConversationMessage(
                "user",
                (
                    Text("What is this?"),
                    Image(url="https://x/y.png", detail="low"),
                    Image(media_type="image/png", data="QQ=="),
                ),
            ),
            ConversationMessage(
                "assistant",
                (
                    Thinking("hm", signature="s"),
                    Text("I look."),
                    ToolCall("c1", "look", '{"a":1}'),
                    ToolCall("c2", "see", "{}"),
                ),
            ),
            ConversationMessage(
                "user",
                (
                    ToolResult("c1", (Text("a "), Text("cat"), Image(media_type="image/png", data="Qg=="))),
                    ToolResult("c2", (Text("no"),), error=True),
                    Text("Go on."),
                ),
            ),
            ConversationMessage("assistant", (ToolCall("c3", "look", "{}"),)),
            ConversationMessage("tool", (ToolResult("c3", (Text("done"),)),)),
            tools=(TOOL, Tool("plain")),
            tool_choice=ToolChoice("tool", "weather"),
            parallel_tool_calls=False,
            response_format=ResponseFormat("json_schema", "answer", SCHEMA, True),
            effort="low",
        )
    )

    def call(number: int, name: str, arguments: str) -> dict[str, Any]:
        return {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": arguments}}

    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
            ],
        },
        {"role": "assistant", "content": "I look.", "tool_calls": [call(1, "look", '{"a":1}'), call(2, "see", "{}")]},
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
        {"role": "tool", "tool_call_id": "c2", "content": "no"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,Qg=="}},
                {"type": "text", "text": "Go on."},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [call(3, "look", "{}")]},
        {"role": "tool", "tool_call_id": "c3", "content": "done"},
    ]
    schema = json.loads(bytes(SCHEMA))
    weather = {"name": "weather", "description": "Of a city", "parameters": schema, "strict": True}
    assert body["tools"] == [
        {"type": "function", "function": weather},
        {"type": "function", "function": {"name": "plain", "parameters": {}}},
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["parallel_tool_calls"] is False
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }
    assert body["reasoning_effort"] == "low"


async def test_breakpoints_go_to_generations_that_have_them() -> None:
    message = ConversationMessage("user", (Text("a", breakpoint="1h"), Text("b", breakpoint="5m"), Text("c")))
    newer = await sent(typed(message, model="gpt-5.6"))
    assert [part.get("prompt_cache_breakpoint") for part in newer["messages"][0]["content"]] == [
        {"mode": "explicit", "ttl": "12h"},
        {"mode": "explicit"},
        None,
    ]
    assert (await sent(typed(message)))["messages"] == [{"role": "user", "content": "abc"}]


EVERYTHING = SamplingParams(
    max_tokens=7,
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    min_p=0.1,
    frequency_penalty=0.2,
    presence_penalty=0.3,
    repetition_penalty=1.1,
    seed=5,
    stop=("x", "y"),
    stop_token_ids=(2,),
    ignore_eos=True,
    logprobs=2,
    logit_bias={50: -100.0},
)
COMMON = {"temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.2, "presence_penalty": 0.3, "stop": ["x", "y"]}
USUAL = {**COMMON, "seed": 5, "logprobs": True, "top_logprobs": 2, "logit_bias": {"50": -100.0}}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("openai", {**USUAL, "max_completion_tokens": 7}),
        ("deepseek", {**COMMON, "max_tokens": 7, "logprobs": True, "top_logprobs": 2}),
        ("openrouter", {**USUAL, "max_tokens": 7}),
        (
            "vllm",
            {
                **USUAL,
                "max_tokens": 7,
                "top_k": 40,
                "min_p": 0.1,
                "repetition_penalty": 1.1,
                "stop_token_ids": [2],
                "ignore_eos": True,
            },
        ),
        (
            "llama.cpp",
            {**USUAL, "max_tokens": 7, "top_k": 40, "min_p": 0.1, "repeat_penalty": 1.1, "ignore_eos": True},
        ),
    ],
)
async def test_sampling_as_far_as_the_kind_knows_it(kind: Any, expected: dict[str, Any]) -> None:
    body = await sent(typed(said("say 1"), sampling=EVERYTHING), kind)
    for name in ("model", "stream", "stream_options", "messages"):
        del body[name]
    body.pop("cache_salt", None)
    assert body == expected


async def test_log_probabilities() -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        chunks = await chunks_of(provider, typed(said("say 1"), sampling=SamplingParams(logprobs=0)))
        texts = await chunks_of(provider, typed(prompt="say 1", sampling=SamplingParams(logprobs=1)))
    assert TextLogprob(b"one", -0.5) in [found for chunk in chunks for found in chunk.logprobs or ()]
    assert texts[0].logprobs == (TextLogprob(b"one", -0.5, ((b"one", -0.5),)),)


async def test_a_prompt_of_text_or_token_ids() -> None:
    stand_in = OpenAIStandIn("vllm")
    async with provider_on(stand_in) as provider:
        chunks = await chunks_of(provider, typed(prompt="say 2"))
        await chunks_of(provider, typed(token_ids=pack([1, 2, 3])))
    assert text_of(chunks) == "one two"
    assert usage(chunks).completion_tokens == 2
    assert [asked.path for asked in stand_in.requests] == ["/v1/completions"] * 2
    assert stand_in.requests[1].json["prompt"] == [1, 2, 3]


async def test_a_prompt_where_there_is_only_chat() -> None:
    body = await sent(typed(prompt="say 2"), "deepseek")
    assert body["messages"] == [{"role": "user", "content": "say 2"}]
    async with provider_on(OpenAIStandIn("deepseek")) as provider:
        with pytest.raises(InvalidRequest, match="reads texts, not token ids"):
            await chunks_of(provider, typed(token_ids=pack([1])))


async def test_several_answers() -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        chunks = await chunks_of(provider, typed(said("say 2"), n=2))
    assert [text_of(chunks, 0), text_of(chunks, 1)] == ["one two", "one two"]
    assert usage(chunks).completion_tokens == 4


async def test_thoughts_and_tool_calls() -> None:
    async with provider_on(OpenAIStandIn()) as provider:
        thoughts = await chunks_of(provider, typed(said("think, then say 1")))
        called = await chunks_of(provider, typed(said("call it"), tools=(TOOL,)))
    assert "".join(chunk.reasoning for chunk in thoughts) == "Let me think."
    assert usage(thoughts).reasoning_tokens == 3
    calls = [call for chunk in called for call in chunk.tool_calls]
    assert calls[0].name == "weather"
    assert "".join(call.arguments for call in calls) == '{"city": "Paris"}'
    assert called[-2].finish_reason == "tool_calls"


PDF = Opaque("document")


@pytest.mark.parametrize(
    ("kind", "request_", "param"),
    [
        ("openai", typed(said("a"), ConversationMessage("user", (Text("b"), PDF))), "messages[1].content[1]"),
        (
            "openai",
            typed(said("a"), ConversationMessage("user", (PDF,)), field="messages", leading="system"),
            "messages[0].content[0]",
        ),
        ("deepseek", typed(ConversationMessage("user", (Image(url="https://x"),))), "messages[0].content[0]"),
        (
            "deepseek",
            typed(ConversationMessage("user", (ToolResult("c", (Image(url="https://x"),)),))),
            "messages[0].content[0]",
        ),
        ("deepseek", typed(said("a"), response_format=ResponseFormat("json_schema", "x", SCHEMA)), "response_format"),
        ("deepseek", typed(said("a"), n=2), "n"),
    ],
)
async def test_what_the_upstream_cannot_do_is_refused_by_name(kind: Any, request_: GenerateRequest, param: str) -> None:
    stand_in = OpenAIStandIn(kind)
    async with provider_on(stand_in) as provider:
        with pytest.raises(InvalidRequest) as caught:
            await chunks_of(provider, request_)
    assert caught.value.param == param
    assert caught.value.status == 400
    assert stand_in.requests == []


async def test_the_same_conversation_has_the_same_key_and_hits() -> None:
    stand_in = OpenAIStandIn()
    system = ConversationMessage("system", (Text(LONG),))
    async with provider_on(stand_in) as provider:
        await chunks_of(provider, typed(system, said("say 1")))
        chunks = await chunks_of(provider, typed(system, said("say 2")))
        await chunks_of(provider, typed(system, said("say 2"), cache=CachePolicy(key="mine")))
    keys = [asked.json["prompt_cache_key"] for asked in stand_in.requests]
    assert keys[0] == keys[1]
    assert keys[2] == "mine"
    assert usage(chunks).cached_tokens >= 1024


# ---- embeddings and counting


async def test_embeddings() -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider:
        body = json.dumps({"model": "ours", "input": ["a", "b"], "pin": True, "dimensions": 3}).encode()
        found = await provider.embed(EmbedRequest("req_1", "text-embedding-3-small", body))
        stand_in.faults = [Fault("lie")]
        unsaid = await provider.embed(EmbedRequest("req_1", "text-embedding-3-small", body))
    assert stand_in.requests[0].json == {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 3}
    assert len(json.loads(found.body)["data"]) == 2
    assert found.usage.prompt_tokens > 0
    assert found.usage.completion_tokens == 0
    assert not found.usage.estimated
    assert unsaid.usage.estimated


@pytest.mark.parametrize(("kind", "tokens"), [("vllm", 3), ("llama.cpp", 4)])
async def test_tokens_of_a_conversation_are_counted_by_those_who_can(kind: Any, tokens: int) -> None:
    stand_in = OpenAIStandIn(kind)
    async with provider_on(stand_in) as provider:
        assert await provider.count_tokens(typed(said("one two three"))) == tokens
        assert await provider.count_tokens(raw(chat("one two three"))) == tokens
    assert stand_in.requests[-1].path == "/tokenize"


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llama.cpp"])
async def test_tokens_of_a_text_are_counted(kind: Any) -> None:
    async with provider_on(OpenAIStandIn(kind)) as provider:
        assert await provider.count_tokens(typed(prompt="one two three")) == 3


@pytest.mark.parametrize("kind", ["openai", "deepseek", "openrouter", "sglang"])
async def test_the_others_say_that_they_do_not_count(kind: Any) -> None:
    stand_in = OpenAIStandIn(kind)
    async with provider_on(stand_in) as provider:
        with pytest.raises(InvalidRequest, match="no way to count"):
            await provider.count_tokens(typed(said("one two three")))
    assert stand_in.requests == []


def test_a_server_without_an_address() -> None:
    with pytest.raises(ConfigError, match=r"providers\.mine\.base_url: missing"):
        OpenAIProvider("mine", ProviderConfig(kind="vllm"), None, "vllm")
