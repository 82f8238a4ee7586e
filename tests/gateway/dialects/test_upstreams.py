"""These APIs in front of providers that speak them, and of providers that do not, each with its stand-in upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from radixa.core.config import ProviderConfig
from radixa.providers.anthropic.provider import AnthropicProvider
from tests.gateway.conftest import Build, World
from tests.gateway.dialects.scripted import asks, listening
from tests.providers.openai.calls import provider_on
from tests.upstreams.anthropic import KEY, AnthropicStandIn
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

SAY: Any = [{"role": "user", "content": "say 5"}]
CALL: Any = [{"role": "user", "content": "call it"}]


@pytest.fixture
def world(build: Build) -> World:
    """One that would ask the real providers, and calls their models what they do."""
    return build(sandbox=False, environ={"OPENAI_API_KEY": "sk-test-0123456789", "ANTHROPIC_API_KEY": KEY})


@asynccontextmanager
async def clients(world: World) -> AsyncIterator[tuple[AsyncAnthropic, AsyncOpenAI]]:
    async with (
        listening(world.app) as url,
        AsyncAnthropic(base_url=url, api_key=world.client.key, max_retries=0) as one,
        AsyncOpenAI(base_url=f"{url}/v1", api_key=world.client.key, max_retries=0) as other,
    ):
        yield one, other


@asynccontextmanager
async def anthropic_on(stand_in: AnthropicStandIn) -> AsyncIterator[AnthropicProvider]:
    async with stand_in.running() as url:
        provider = AnthropicProvider("anthropic", ProviderConfig("anthropic", base_url=url, retries=0), KEY)
        try:
            yield provider
        finally:
            await provider.close()


async def test_messages_of_an_openai_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tool: Any = {"name": "weather", "input_schema": {"type": "object"}}
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider, clients(world) as (client, _):
        asks(monkeypatch, world, provider)
        request: Any = {"model": "gpt-4.1", "max_tokens": 50, "messages": CALL, "tools": [tool]}
        whole = await client.messages.create(**request)
        async with client.messages.stream(**request) as stream:
            streamed = await stream.get_final_message()
        for made in (whole, streamed):
            (block,) = (block for block in made.content if block.type == "tool_use")
            assert (block.name, block.input) == ("weather", {"city": "Paris"})
            assert made.stop_reason == "tool_use"
            assert made.usage.input_tokens > 0
            assert made.usage.output_tokens > 0
        # The call and its result, as OpenAI's API wants them: an assistant's message, then the tool's.
        results: Any = [{"type": "tool_result", "tool_use_id": block.id, "content": "sun"}]
        turns = [*CALL, {"role": "assistant", "content": whole.content}, {"role": "user", "content": [*results]}]
        await client.messages.create(**request | {"messages": turns})
        _, assistant, told = stand_in.requests[-1].json["messages"]
        assert assistant["tool_calls"][0]["id"] == told["tool_call_id"] == block.id
        assert (told["role"], told["content"]) == ("tool", "sun")


async def test_responses_of_an_openai_model_go_on_as_they_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = OpenAIStandIn()
    async with provider_on(stand_in) as provider, clients(world) as (_, client):
        asks(monkeypatch, world, provider)
        request: Any = {"model": "gpt-4.1", "input": "say 5", "max_output_tokens": 50}
        whole = await client.responses.create(**request, extra_body={"unheard_of": [1]})
        assert stand_in.requests[-1].path == "/v1/responses"
        assert stand_in.requests[-1].json["unheard_of"] == [1]
        events = [event async for event in await client.responses.create(**request, stream=True)]
        streamed: Any = events[-1].response  # type: ignore[union-attr]
        for made in (whole, streamed):
            assert made.output_text
            usage: Any = made.usage
            assert usage.input_tokens + usage.output_tokens == usage.total_tokens
            assert usage.radixa["cost_usd"] is not None
        assert whole.output_text == streamed.output_text


async def test_responses_of_a_model_without_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = OpenAIStandIn("vllm")
    tool: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
    async with provider_on(stand_in) as provider, clients(world) as (_, client):
        asks(monkeypatch, world, provider)
        made = await client.responses.create(model="gpt-4.1", input="call it", tools=[tool])
        (call,) = (item for item in made.output if item.type == "function_call")
        assert (call.name, call.arguments) == ("weather", '{"city": "Paris"}')
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
        turns: Any = [{"role": "user", "content": "call it"}, *made.output, result]
        await client.responses.create(model="gpt-4.1", input=turns, tools=[tool])
        assert [message["role"] for message in stand_in.requests[-1].json["messages"]] == ["user", "assistant", "tool"]
        assert stand_in.requests[-1].path == "/v1/chat/completions"
        with pytest.raises(openai.BadRequestError, match="nothing is stored here"):
            await client.responses.create(model="gpt-4.1", input="x", previous_response_id="resp_1")


async def test_messages_of_claude_go_on_as_they_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = AnthropicStandIn()
    async with anthropic_on(stand_in) as provider, clients(world) as (client, _):
        asks(monkeypatch, world, provider)
        line = "x-anthropic-billing-header: cc_version=2.1.36.%s; cc_entrypoint=cli; cch=%s;"
        marked = {"type": "text", "text": "A long system prompt. " * 400, "cache_control": {"type": "ephemeral"}}
        told = []
        for number, hashes in enumerate([("f1a", "8c07d"), ("0b2", "1e9aa"), ("77f", "3d310")]):
            system: Any = [{"type": "text", "text": line % hashes}, marked]
            request: Any = {"model": "claude-3-5-sonnet", "max_tokens": 50, "messages": SAY, "system": system}
            if number % 2:
                async with client.messages.stream(**request) as stream:
                    made: Any = await stream.get_final_message()
            else:
                made = await client.messages.create(**request)
            usage = made.usage
            told.append((usage.cache_creation_input_tokens > 0, usage.cache_read_input_tokens > 0))
        # The line is the same in all, so the second turn reads what the first wrote.
        assert told == [(True, False), (False, True), (False, True)]
        assert stand_in.requests[-1].json["system"][0]["text"] == line % ("000", "00000")
        counted = await client.messages.count_tokens(model="claude-3-5-sonnet", messages=SAY)
        assert counted.input_tokens > 0
        assert stand_in.requests[-1].path.endswith("/count_tokens")


async def test_an_upstream_that_fails_fails_in_the_callers_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = AnthropicStandIn()
    async with anthropic_on(stand_in) as provider, clients(world) as (client, _):
        asks(monkeypatch, world, provider)
        request: Any = {"model": "claude-3-5-sonnet", "max_tokens": 50, "messages": SAY}
        stand_in.faults.append(Fault("status", status=529))
        with pytest.raises(anthropic.APIStatusError) as overloaded:
            await client.messages.create(**request)
        assert overloaded.value.status_code == 529
        assert overloaded.value.body["type"] == "error"  # type: ignore[index]
        stand_in.faults.append(Fault("cut_middle", after=3))
        stream = await client.messages.create(**request, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="api_error"):
            [event async for event in stream]
