"""Gemini behind OpenAI's and Anthropic's APIs: what their clients send comes back to it whole, and is billed once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from radixa.core.config import Config, EngineConfig, ModelEntry, Prices, ProviderConfig
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.providers.registry import upstreams
from radixa.store.first import ensure_first_account
from radixa.store.sql import SqlStore
from tests.gateway.fakes import Client
from tests.upstreams.gemini import KEY, MINIMUM, GeminiStandIn

PRICES = Prices(input=1.0, cached_input=0.1, output=2.0)
MODELS = (ModelEntry("flash", "gemini", "gemini-3.8-flash", (PRICES,)),)
LONG = "A long document. " * 1000
PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}}}


@pytest.fixture
async def client(store: SqlStore, tmp_path: Path) -> AsyncIterator[Client]:
    async with GeminiStandIn().running() as url:
        config = Config(
            engine=EngineConfig(enabled=False),
            models=MODELS,
            providers={"gemini": ProviderConfig("gemini", f"{url}/v1beta", retries=0)},
        )
        _, secret = store.create_key(ensure_first_account(store).id, "first", admin=True)
        gateway = Gateway(config, store, KeyRing(store), tmp_path, upstreams(config.providers, {"GEMINI_API_KEY": KEY}))
        await gateway.start()
        yield Client(App(gateway), secret)
        await gateway.close()


async def chat(client: Client, *messages: dict[str, Any], **fields: Any) -> Any:
    answer = await client.post("/v1/chat/completions", {"model": "flash", "messages": messages} | fields)
    assert answer.status == 200, answer.error
    return answer.json


async def test_a_tools_call_and_its_result_through_openais_api(client: Client) -> None:
    """The stand-in refuses a call that comes back without its signature, as Gemini does."""
    tools = [{"type": "function", "function": {"name": "echo", "parameters": PARAMETERS}}]
    question = {"role": "user", "content": "Do it TWICE"}
    first = await chat(client, question, tools=tools)
    choice = first["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    calls = choice["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["echo", "echo"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "Done."} for call in calls]
    second = await chat(client, question, choice["message"], *results, tools=tools)
    assert second["choices"][0]["message"]["content"] == "The tool said: Done."


async def test_thoughts_and_calls_through_anthropics_api(client: Client) -> None:
    body: dict[str, Any] = {
        "model": "flash",
        "max_tokens": 1000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [{"name": "echo", "input_schema": PARAMETERS}],
        "messages": [{"role": "user", "content": "Hello"}],
    }
    first = await client.post("/v1/messages", body)
    assert first.status == 200, first.body
    content = first.json["content"]
    assert [block["type"] for block in content] == ["thinking", "tool_use"]
    assert first.json["stop_reason"] == "tool_use"
    result = {"type": "tool_result", "tool_use_id": content[1]["id"], "content": "Done."}
    body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    second = await client.post("/v1/messages", body)
    assert second.status == 200, second.body
    assert second.json["content"][-1] == {"type": "text", "text": "The tool said: Done."}


async def test_cached_tokens_are_billed_once(client: Client) -> None:
    """As a part of the prompt, at their own price."""
    system = {"role": "system", "content": LONG}
    for text, hits in (("one", False), ("two", True)):
        usage = (await chat(client, system, {"role": "user", "content": text}))["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        assert (cached >= MINIMUM) is hits
        plain = usage["prompt_tokens"] - cached
        nano = plain * 1000 + cached * 100 + usage["completion_tokens"] * 2000
        assert round(usage["radixa"]["cost_usd"] * 1e9) == nano
        assert round(usage["radixa"]["saved_usd"] * 1e9) == cached * 900


async def test_a_refused_prompt_is_an_answer(client: Client) -> None:
    found = await chat(client, {"role": "user", "content": "BLOCK this"})
    assert found["choices"][0]["finish_reason"] == "content_filter"
    assert found["usage"]["prompt_tokens"] > 0


async def test_an_images_address_is_not_fetched(client: Client) -> None:
    image = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}
    body = {"model": "flash", "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, image]}]}
    answer = await client.post("/v1/chat/completions", body)
    assert (answer.status, answer.error["param"]) == (400, "messages[0].content[1]")


async def test_streams_end_with_their_usage(client: Client) -> None:
    body = {
        "model": "flash",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    events = (await client.post("/v1/chat/completions", body)).events
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
    assert text == "You said: Hello"
    assert events[-1]["usage"]["completion_tokens"] > 0
