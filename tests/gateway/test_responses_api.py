"""OpenAI's responses: its own SDK over a socket, its models for every event, its errors."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from radixa.core.base import GenerateChunk, Usage
from radixa.core.errors import UpstreamError
from tests.gateway.conftest import Build, World
from tests.gateway.dialects.scripted import TOOLS, Scripted, asks, listening
from tests.gateway.fakes import Answer, FakeEngine, text_of

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
"""A tool."""


async def ask(world: World, **fields: Any) -> Answer:
    return await world.client.post("/v1/responses", {"input": "hello"} | fields)


def events(answer: Answer) -> list[Any]:
    """The stream's events, numbered without a gap, each one that the SDK knows."""
    found = []
    for number, block in enumerate(answer.body.decode().split("\n\n")[:-1]):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        parsed = EVENT.validate_python(event)
        assert parsed.type == event["type"]
        found.append(event)
    return found


def sdk(world: World, url: str, key: str | None = None) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key=key or world.client.key, max_retries=0)


def still(response: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from one answer to the next."""
    text = json.dumps(response).replace(response["id"].removeprefix("resp_"), "ID")
    found: dict[str, Any] = json.loads(text)
    for name in ("created_at", "completed_at"):
        del found[name]
    if found["usage"]:
        del found["usage"]["radixa"]["ttft_ms"]
    return found


async def test_a_whole_answer(world: World) -> None:
    answer = await ask(world, model="deepseek-chat", instructions="be brief", metadata={"a": "b"}, user="u")
    assert answer.status == 200
    assert answer.headers["x-radixa-served-by"] == "fake-model"
    body = answer.json
    Response.model_validate(body)
    assert text_of(world.engine.requests[0]) == "system: be brief\nuser: hello\nassistant: "
    assert world.engine.requests[0].sampling.max_tokens == 64
    usage = body["usage"]
    assert usage["radixa"].pop("cost_usd") == pytest.approx((40 + 9) * 0.42e-6)
    del usage["radixa"]
    assert body["completed_at"] >= body["created_at"]
    identity = body["id"].removeprefix("resp_")
    assert answer.headers["x-request-id"] == f"req_{identity}"
    for name, expected in {
        "object": "response",
        "status": "completed",
        "model": "deepseek-chat",
        "error": None,
        "incomplete_details": None,
        "instructions": "be brief",
        "metadata": {"a": "b"},
        "user": "u",
        "store": False,
        "background": False,
        "previous_response_id": None,
        "truncation": "disabled",
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "output": [
            {
                "id": f"msg_{identity}00",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "forty-two", "annotations": [], "logprobs": []}],
            }
        ],
        "usage": {
            "input_tokens": 40,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 40},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 49,
            "cached_tokens": 0,
        },
    }.items():
        assert body[name] == expected, name


async def test_a_stream_says_the_same_as_a_whole_answer(world: World) -> None:
    await ask(world)
    whole = (await ask(world, model="gpt-4.1")).json
    answer = await ask(world, model="gpt-4.1", stream=True)
    created, progress, item, part, *deltas, text, part_done, item_done, completed = events(answer)
    assert [created["type"], progress["type"]] == ["response.created", "response.in_progress"]
    assert created["response"] == progress["response"]
    expected = still(whole) | {"status": "in_progress", "output": [], "usage": None}
    assert still(created["response"]) == expected
    assert (item["type"], item["output_index"]) == ("response.output_item.added", 0)
    assert (item["item"]["status"], item["item"]["content"]) == ("in_progress", [])
    assert part["part"] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert {delta["type"] for delta in deltas} == {"response.output_text.delta"}
    assert "".join(delta["delta"] for delta in deltas) == text["text"] == "forty-two"
    assert {event["item_id"] for event in (part, *deltas, text, part_done)} == {item["item"]["id"]}
    assert part_done["part"]["text"] == "forty-two"
    assert still(completed["response"]) == still(whole)
    assert item_done["item"] == completed["response"]["output"][0]
    assert completed["response"]["usage"]["cached_tokens"] == 22


async def test_an_answer_that_is_cut_short(world: World) -> None:
    whole = (await ask(world, max_output_tokens=3)).json
    assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (whole["output"][0]["status"], whole["completed_at"]) == ("incomplete", None)
    *_, item_done, last = events(await ask(world, max_output_tokens=3, stream=True))
    assert last["type"] == "response.incomplete"
    assert item_done["item"] == last["response"]["output"][0]
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_logprobs(world: World) -> None:
    fields: Any = {"include": ["message.output_text.logprobs"], "top_logprobs": 1, "max_output_tokens": 2}
    (part,) = (await ask(world, **fields)).json["output"][0]["content"]
    assert part["logprobs"][0] == {
        "token": "f",
        "logprob": -0.5,
        "bytes": [102],
        "top_logprobs": [{"token": "f", "logprob": -0.5, "bytes": [102]}],
    }
    found = events(await ask(world, stream=True, **fields))
    pieces = [event["logprobs"] for event in found if event["type"] == "response.output_text.delta"]
    assert [piece[0]["token"] for piece in pieces] == ["f", "o"]
    assert found[-1]["response"]["output"][0]["content"][0] == part


async def test_the_sdk_whole_and_streamed(world: World) -> None:
    async with listening(world.app) as url, sdk(world, url) as client:
        whole = await client.responses.create(model="deepseek-chat", input="hello", store=True)
        assert whole.output_text == "forty-two"
        assert whole._request_id == whole.id.replace("resp_", "req_")
        async with client.responses.stream(model="deepseek-chat", input="hello") as stream:
            texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            last = await stream.get_final_response()
        assert "".join(texts) == last.output_text == "forty-two"
        assert last.usage is not None
        assert last.usage.input_tokens_details.cached_tokens == 22
        counted = await client.responses.input_tokens.count(model="deepseek-chat", input="hello", instructions="x")
        assert counted.input_tokens == len("system: x\nuser: hello\nassistant: ")


async def test_the_sdk_with_thoughts_and_tools(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = asks(monkeypatch, world, Scripted(TOOLS))
    request: Any = {"model": "gpt-4.1", "input": "hello", "tools": [WEATHER], "reasoning": {"effort": "low"}}
    async with listening(world.app) as url, sdk(world, url) as client:
        whole = await client.responses.create(**request)
        async with client.responses.stream(**request) as stream:
            streamed = await stream.get_final_response()
        for response in (whole, streamed):
            assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
            thought, text, call, other = (item.to_dict() for item in response.output)
            assert thought["content"] == [{"type": "reasoning_text", "text": "I should look."}]
            assert thought["encrypted_content"] == "c2lnbmVk"
            assert text["content"][0]["text"] == response.output_text == "Let me see."  # type: ignore[index]
            assert (call["call_id"], call["name"], call["arguments"]) == ("call_a", "weather", '{"city":"Bern"}')
            assert (other["call_id"], other["name"], other["arguments"]) == ("call_b", "clock", "")
            usage = response.usage
            assert usage is not None
            assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
            assert (usage.input_tokens_details.cached_tokens, usage.input_tokens_details.cache_write_tokens) == (60, 30)
            assert usage.output_tokens_details.reasoning_tokens == 5
            assert response.tools[0].to_dict() == WEATHER
        assert (provider.conversation.effort, provider.conversation.tools[0].name) == ("low", "weather")
        # What the model did, and what its tools said, go back as they came.
        result: Any = {"type": "function_call_output", "call_id": "call_a", "output": "sun"}
        await client.responses.create(**request | {"input": [*whole.output, result]})
        assistant, tool = provider.conversation.messages
        thinking, said, called, _ = assistant.parts
        assert (thinking.text, thinking.signature, said.text) == ("I should look.", "c2lnbmVk", "Let me see.")
        assert (called.id, called.name, called.arguments) == ("call_a", "weather", '{"city":"Bern"}')
        assert (tool.role, tool.parts[0].content[0].text) == ("tool", "sun")


async def test_the_events_of_thoughts_and_calls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asks(monkeypatch, world, Scripted(TOOLS))
    found = events(await ask(world, stream=True, tools=[WEATHER]))
    told = [(event["type"].removeprefix("response."), event.get("output_index")) for event in found]
    assert told == [
        ("created", None),
        ("in_progress", None),
        ("output_item.added", 0),
        ("content_part.added", 0),
        ("reasoning_text.delta", 0),
        ("reasoning_text.delta", 0),
        ("reasoning_text.done", 0),
        ("content_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("content_part.added", 1),
        ("output_text.delta", 1),
        ("output_text.delta", 1),
        ("output_text.done", 1),
        ("content_part.done", 1),
        ("output_item.done", 1),
        ("output_item.added", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.done", 2),
        ("output_item.done", 2),
        ("output_item.added", 3),
        ("function_call_arguments.done", 3),
        ("output_item.done", 3),
        ("completed", None),
    ]
    items = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert items == found[-1]["response"]["output"]


async def test_a_provider_of_the_same_dialect_gets_the_body_as_it_came(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = b'{"id":"resp_1","object":"response","output":[],"new":1.50,'
    theirs += b'"usage":{"input_tokens":100,"output_tokens_details":{"reasoning_tokens":5,"new":1}}}'
    chunk = GenerateChunk(0, text="x", finish_reason="stop", usage=TOOLS[-1].usage, raw=theirs)
    provider = asks(monkeypatch, world, Scripted([chunk], frozenset({"responses"})))
    body = b'{"model":"gpt-4.1","input":[{"type":"item_reference","id":"x"}],"previous_response_id":"resp_0","new":[1]}'
    answer = await world.client.post("/v1/responses", body)
    source = provider.requests[0].source
    assert source is not None
    assert (source.dialect, source.body, provider.requests[0].open_ended) == ("responses", body, True)
    assert answer.body.startswith(b'{"id":"resp_1","object":"response","output":[],"new":1.50')
    usage = answer.json["usage"]
    assert usage["output_tokens_details"] == {"reasoning_tokens": 5, "new": 1}
    assert (usage["input_tokens"], usage["cached_tokens"], usage["total_tokens"]) == (100, 60, 120)
    assert usage["radixa"]["served_by"] == "fake-model"


async def test_a_stream_of_the_same_dialect_goes_on_as_it_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    created = b'{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","usage":null}}'
    completed = b'{"type":"response.completed","sequence_number":1,"response":{"id":"resp_1","usage":{"new":1}}}'
    chunks = [
        GenerateChunk(0, raw=created, event="response.created"),
        GenerateChunk(0, finish_reason="stop", usage=TOOLS[-1].usage, raw=completed, event="response.completed"),
    ]
    asks(monkeypatch, world, Scripted(chunks, frozenset({"responses"})))
    first, last, end = (await ask(world, stream=True)).body.split(b"\n\n")
    assert (first, end) == (b"event: response.created\ndata: " + created, b"")
    usage = json.loads(last.removeprefix(b"event: response.completed\ndata: "))["response"]["usage"]
    assert (usage["new"], usage["input_tokens"], usage["radixa"]["served_by"]) == (1, 100, "fake-model")


async def test_cache_wishes(world: World) -> None:
    part = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    await ask(world, input=[{"role": "user", "content": [part]}])
    await ask(world, prompt_cache_key="k", prompt_cache_retention="24h")
    await ask(world, cache_control="no-store", session_id="s", high_priority=False)
    await ask(world, prompt_cache=False)
    policies = [request.cache for request in world.engine.requests]
    assert [(p.ttl, p.explicit, p.session, p.key, p.read, p.write) for p in policies] == [
        (1800, True, "", "", True, True),
        (86400, False, "k", "k", True, True),
        (None, False, "s", "", True, False),
        (None, False, "", "", False, False),
    ]
    assert (await ask(world, prompt_cache_key="k")).json["prompt_cache_key"] == "k"
    salted = (await ask(world, cache_salt="other")).json["usage"]
    assert salted["radixa"]["miss"]["reason"] == "namespace"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": 5}, "input", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "unsupported_parameter"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content[0].type",
            "invalid_value",
        ),
        ({"input": "x" * 2000}, "input", "context_length_exceeded"),
        ({"instructions": "x" * 2000, "input": "x"}, "input", "context_length_exceeded"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl", "invalid_value"),
    ],
)
async def test_bad_requests(world: World, fields: dict[str, Any], param: str, code: str) -> None:
    for streamed in (False, True):
        answer = await ask(world, **{"stream": streamed} | fields)
        assert answer.status == 400
        assert (answer.error["param"], answer.error["code"]) == (param, code)
    assert (await ask(world)).status == 200


async def test_the_sdks_error_classes(build: Build) -> None:
    world = build(FakeEngine(fails_at=0))
    async with listening(world.app) as url, sdk(world, url) as client, sdk(world, url, "rx-nobody") as stranger:
        with pytest.raises(openai.BadRequestError, match="nothing is stored here"):
            await client.responses.create(model="gpt-4.1", input="x", previous_response_id="resp_1")
        with pytest.raises(openai.NotFoundError, match="nobody"):
            await client.responses.create(model="nobody", input="x")
        with pytest.raises(openai.AuthenticationError):
            await stranger.responses.create(model="gpt-4.1", input="x")
        with pytest.raises(openai.InternalServerError, match="engine died"):
            await client.responses.create(model="gpt-4.1", input="x", stream=True)


async def test_a_stream_that_fails_says_what_was_said_until_then(build: Build) -> None:
    world = build(FakeEngine(fails_at=4))
    async with listening(world.app) as url, sdk(world, url) as client:
        stream = await client.responses.create(model="gpt-4.1", input="hello", stream=True)
        seen: list[Any] = []
        with pytest.raises(openai.APIError, match="engine died"):
            await _fill(seen, stream)
    failed = seen[-1]
    EVENT.validate_python(failed.to_dict())
    assert (failed.type, failed.response.status) == ("response.failed", "failed")
    assert failed.response.error.code == "server_error"
    assert "engine died" in failed.response.error.message
    assert failed.response.output_text == "fort"
    assert failed.response.output[0].status == "incomplete"
    assert (failed.response.usage.input_tokens, failed.response.usage.output_tokens) == (23, 4)


async def _fill(seen: list[Any], stream: Any) -> None:
    async for event in stream:
        seen += [event]


async def test_a_provider_that_breaks_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = UpstreamError("The upstream cut the connection.", retryable=False)
    asks(monkeypatch, world, Scripted(TOOLS[:5], failure=failure))
    body = (await ask(world, stream=True)).body
    *_, failed, error, end = body.split(b"\n\n")
    response = json.loads(failed.removeprefix(b"event: response.failed\ndata: "))["response"]
    assert [item["status"] for item in response["output"]] == ["completed", "completed", "incomplete"]
    assert json.loads(error.removeprefix(b"data: "))["error"]["message"] == "The upstream cut the connection."
    assert end == b""


async def test_an_answer_of_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asks(monkeypatch, world, Scripted([GenerateChunk(0, finish_reason="stop", usage=Usage(5, 0, 0, 1))]))
    assert (await ask(world)).json["output"] == []
    found = events(await ask(world, stream=True))
    assert [event["type"] for event in found] == ["response.created", "response.in_progress", "response.completed"]
