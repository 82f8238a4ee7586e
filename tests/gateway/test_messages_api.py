"""Anthropic's messages: its own SDK over a socket, its event stream, its errors."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from radixa.core.base import GenerateChunk, ToolCallDelta, Usage
from radixa.core.config import CacheConfig
from radixa.core.errors import RadixaError, UpstreamError
from radixa.gateway.dialects.messages.errors import error_json, status
from tests.gateway.conftest import Build, World
from tests.gateway.dialects.scripted import TOOLS, Scripted, asks, listening
from tests.gateway.fakes import Answer, FakeEngine, text_of

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
LINE = "x-anthropic-billing-header: cc_version=2.1.36.%s; cc_entrypoint=cli; cch=%s;"
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
WEATHER: Any = {"name": "weather", "description": "d", "input_schema": {"type": "object"}}
"""A tool."""


async def ask(world: World, **fields: Any) -> Answer:
    return await world.client.post("/v1/messages", {"max_tokens": 20, "messages": HELLO} | fields)


def events(answer: Answer) -> list[Any]:
    """The stream's events, of which each but the pings must be one that the SDK knows."""
    found = []
    for block in answer.body.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        if event["type"] not in ("ping", "error"):
            EVENT.validate_python(event)
        found.append(event)
    return found


def sdk(world: World, url: str, key: str | None = None) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=url, auth_token=key or world.client.key, api_key=None, max_retries=0)


async def test_a_whole_answer(world: World) -> None:
    answer = await ask(world, model="deepseek-chat", system="be brief")
    assert answer.status == 200
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["x-radixa-served-by"] == "fake-model"
    body = answer.json
    Message.model_validate(body)
    usage = body.pop("usage")
    assert body == {
        "id": answer.headers["x-request-id"].replace("req_", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": "deepseek-chat",
        "content": [{"type": "text", "text": "forty-two"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }
    assert text_of(world.engine.requests[0]) == "system: be brief\nuser: hello\nassistant: "
    assert usage.pop("radixa")["cost_usd"] == pytest.approx((40 + 9) * 0.42e-6)
    assert usage == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 40,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 0},
    }


async def test_a_stream_says_the_same_as_a_whole_answer(world: World) -> None:
    await ask(world, model="gpt-4.1")
    whole = (await ask(world, model="gpt-4.1")).json
    answer = await ask(world, model="gpt-4.1", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    start, ping, begin, *pieces, stop, delta, end = events(answer)
    # All of the prompt is counted as plain until the engine has said what it found.
    assert start["message"] == whole | {
        "id": start["message"]["id"],
        "content": [],
        "stop_reason": None,
        "usage": start["message"]["usage"],
    }
    assert start["message"]["usage"]["input_tokens"] == 23
    assert "radixa" not in start["message"]["usage"]
    assert ping == {"type": "ping"}
    assert begin == {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert "".join(piece["delta"]["text"] for piece in pieces) == "forty-two"
    assert stop == {"type": "content_block_stop", "index": 0}
    del delta["usage"]["radixa"]["ttft_ms"], whole["usage"]["radixa"]["ttft_ms"]
    assert delta["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert delta["usage"] == whole["usage"]
    assert delta["usage"]["cache_read_input_tokens"] == 22
    assert end == {"type": "message_stop"}
    # What begins the answer goes out with its first text.
    assert answer.parts[0].count(b"event: ") == 4


async def test_an_answer_that_is_cut_short(world: World) -> None:
    assert (await ask(world, max_tokens=3)).json["stop_reason"] == "max_tokens"
    assert events(await ask(world, max_tokens=3, stream=True))[-2]["delta"]["stop_reason"] == "max_tokens"


async def test_no_tokens_only_keep_the_prompt(world: World) -> None:
    body = (await ask(world, max_tokens=0)).json
    assert body["content"] == []
    assert (body["stop_reason"], body["usage"]["output_tokens"]) == ("max_tokens", 0)
    assert (await ask(world)).json["usage"]["cache_read_input_tokens"] == 22


async def test_the_sdk_whole_and_streamed(world: World) -> None:
    async with listening(world.app) as url, sdk(world, url) as client:
        made = await client.messages.with_raw_response.create(model="deepseek-chat", max_tokens=20, messages=HELLO)
        whole = await made.parse()
        assert whole._request_id == made.headers["x-request-id"]
        (block,) = whole.content
        assert block.type == "text"
        assert block.text == "forty-two"
        async with client.messages.stream(model="deepseek-chat", max_tokens=20, messages=HELLO) as stream:
            assert "".join([text async for text in stream.text_stream]) == "forty-two"
            last = await stream.get_final_message()
        assert (last.stop_reason, last.usage.output_tokens, last.usage.cache_read_input_tokens) == ("end_turn", 9, 22)
        counted = await client.messages.count_tokens(model="deepseek-chat", messages=HELLO, system="be brief")
        assert counted.input_tokens == len("system: be brief\nuser: hello\nassistant: ")


async def test_the_sdk_with_thoughts_and_tools(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = asks(monkeypatch, world, Scripted(TOOLS))
    request: Any = {"model": "gpt-4.1", "max_tokens": 200, "messages": HELLO, "tools": [WEATHER]}
    async with listening(world.app) as url, sdk(world, url) as client:
        whole = await client.messages.create(**request)
        async with client.messages.stream(**request) as stream:
            streamed = await stream.get_final_message()
        for message in (whole, streamed):
            assert [block.to_dict() for block in message.content] == [
                {"type": "thinking", "thinking": "I should look.", "signature": "c2lnbmVk"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "call_a", "name": "weather", "input": {"city": "Bern"}},
                {"type": "tool_use", "id": "call_b", "name": "clock", "input": {}},
            ]
            assert message.stop_reason == "tool_use"
            usage = message.usage
            assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
                10,
                60,
                30,
            )
            assert usage.output_tokens == 20
            assert usage.output_tokens_details is not None
            assert usage.output_tokens_details.thinking_tokens == 5
        assert whole.usage.cache_creation is not None
        assert whole.usage.cache_creation.ephemeral_1h_input_tokens == 10
        assert [tool.name for tool in provider.conversation.tools] == ["weather"]
        # What the model did, and what its tools said, go back as they came.
        results: Any = [{"type": "tool_result", "tool_use_id": "call_a", "content": "sun"}]
        turns = [*HELLO, {"role": "assistant", "content": whole.content}, {"role": "user", "content": results}]
        await client.messages.create(**request | {"messages": turns})
        _, assistant, user = provider.conversation.messages
        thought, text, call, other = assistant.parts
        assert (thought.text, thought.signature, text.text) == ("I should look.", "c2lnbmVk", "Let me see.")
        assert (call.id, call.name, call.arguments, other.arguments) == ("call_a", "weather", '{"city":"Bern"}', "{}")
        assert user.parts[0].content[0].text == "sun"


async def test_arguments_that_are_no_object(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    call = GenerateChunk(0, tool_calls=(ToolCallDelta(0, "a", "f", '{"city": "Be'),))
    asks(monkeypatch, world, Scripted([call, GenerateChunk(0, finish_reason="length", usage=Usage(1, 0, 0, 1))]))
    body = (await ask(world)).json
    assert body["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": {"INVALID_JSON": '{"city": "Be'}}]
    assert body["stop_reason"] == "max_tokens"


async def test_a_provider_that_says_stop_where_it_calls_tools(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    call = GenerateChunk(0, tool_calls=(ToolCallDelta(0, "a", "f", "{}"),))
    asks(monkeypatch, world, Scripted([call, GenerateChunk(0, finish_reason="stop", usage=Usage(1, 0, 0, 1))]))
    assert (await ask(world)).json["stop_reason"] == "tool_use"
    assert events(await ask(world, stream=True))[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_provider_of_the_same_dialect_gets_the_body_as_it_came(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = b'{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"new":1.50,'
    theirs += b'"usage":{"input_tokens":10,"output_tokens":20,"service_tier":"standard"}}'
    usage = TOOLS[-1].usage
    chunk = GenerateChunk(0, text="x", finish_reason="stop", usage=usage, raw=theirs)
    provider = asks(monkeypatch, world, Scripted([chunk], frozenset({"messages"})))
    body = json.dumps(
        {"model": "gpt-4.1", "max_tokens": 20, "messages": HELLO, "new": [1], "system": [{"type": "text", "text": "x"}]}
    ).encode()
    answer = await world.client.post(
        "/v1/messages", body, anthropic_version="2023-06-01", anthropic_beta="a,b", other="c"
    )
    source = provider.requests[0].source
    assert source is not None
    assert (source.dialect, source.body) == ("messages", body)
    assert dict(source.headers) == {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b"}
    assert provider.requests[0].sampling.max_tokens == 20
    assert not provider.requests[0].cache.explicit
    assert answer.body.startswith(
        b'{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"new":1.50'
    )
    found = answer.json["usage"]
    assert found["service_tier"] == "standard"
    assert (found["input_tokens"], found["cache_read_input_tokens"]) == (10, 60)
    assert found["radixa"]["served_by"] == "fake-model"


async def test_a_stream_of_the_same_dialect_goes_on_as_it_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = [
        ("message_start", b'{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":10}}}'),
        ("ping", b'{"type": "ping"}'),
        ("content_block_delta", b'{"type":"content_block_delta",\n"index":0,"delta":{"type":"new_delta"}}'),
        ("message_delta", b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":20}}'),
        ("message_stop", b'{"type":"message_stop"}'),
    ]
    chunks = [GenerateChunk(0, raw=data, event=name) for name, data in raw]
    # Also where the counts come only with the very last event.
    chunks[-1] = GenerateChunk(0, finish_reason="stop", usage=TOOLS[-1].usage, raw=raw[-1][1], event="message_stop")
    asks(monkeypatch, world, Scripted(chunks, frozenset({"messages"})))
    answer = await ask(world, stream=True)
    blocks = answer.body.split(b"\n\n")
    assert blocks[0] == b"event: message_start\ndata: " + raw[0][1]
    assert blocks[1] == b'event: ping\ndata: {"type": "ping"}'
    assert blocks[2] == b"event: content_block_delta\ndata: " + raw[2][1].replace(b"\n", b" ")
    delta = json.loads(blocks[3].removeprefix(b"event: message_delta\ndata: "))
    assert delta["delta"] == {"stop_reason": "end_turn"}
    assert (delta["usage"]["output_tokens"], delta["usage"]["cache_read_input_tokens"]) == (20, 60)
    assert delta["usage"]["radixa"]["served_by"] == "fake-model"
    assert blocks[4:] == [b'event: message_stop\ndata: {"type":"message_stop"}', b""]


async def test_breakpoints_of_the_callers_own(world: World) -> None:
    marked = [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    await ask(world, system=marked)
    await ask(world, cache_control={"type": "ephemeral"})
    await ask(world, cache_ttl_seconds=60, high_priority=True, session_id="s")
    await ask(world, messages=[{"role": "user", "content": '"cache_control": {'}])
    policies = [request.cache for request in world.engine.requests]
    assert [(p.ttl, p.explicit, p.priority, p.session) for p in policies] == [
        (3600, True, False, ""),
        (300, True, False, ""),
        (60, False, True, "s"),
        (None, False, False, ""),
    ]


@pytest.mark.parametrize("normalise", [True, False])
async def test_a_second_turn_of_claude_code_hits(build: Build, normalise: bool) -> None:
    world = build(cache=CacheConfig(normalise_billing_line=normalise))
    for number, system in enumerate([LINE % ("f1a", "8c07d"), LINE % ("0b2", "1e9aa")]):
        blocks = [{"type": "text", "text": system}, {"type": "text", "text": "\nYou are Claude Code." * 4}]
        usage = (await ask(world, system=blocks)).json["usage"]
        if number and normalise:
            assert usage["input_tokens"] == 1
        if number and not normalise:
            assert usage["cache_read_input_tokens"] < 70
    expected = LINE % (("000", "00000") if normalise else ("0b2", "1e9aa"))
    assert text_of(world.engine.requests[-1]).startswith("system: " + expected)


async def test_claude_codes_own_query(world: World) -> None:
    answer = await world.client.post("/v1/messages?beta=true", {"max_tokens": 20, "messages": HELLO})
    assert answer.status == 200


async def test_a_large_body_is_normalised_too(build: Build) -> None:
    world = build(FakeEngine(context=1_000_000, capacity=2_000_000), max_body_bytes=2_000_000)
    system = [{"type": "text", "text": LINE % ("f1a", "8c07d")}, {"type": "text", "text": "x" * 300_000}]
    assert (await ask(world, system=system)).status == 200
    assert text_of(world.engine.requests[0]).startswith("system: " + LINE % ("000", "00000"))


async def test_count_tokens_needs_no_max_tokens_and_costs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await world.client.post("/v1/messages/count_tokens", {"messages": HELLO})
    assert answer.json == {"input_tokens": 23}
    assert world.engine.requests == []
    provider = asks(monkeypatch, world, Scripted(dialects=frozenset({"messages"})))
    answer = await world.client.post("/v1/messages/count_tokens", {"model": "gpt-4.1", "messages": HELLO})
    assert answer.json == {"input_tokens": 123}
    assert provider.requests[0].source is not None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"max_tokens": None}, "'max_tokens'"),
        ({"max_tokens": -1}, "'max_tokens': integer below minimum value. Expected a value >= 0"),
        ({"stream": "yes"}, "'stream': expected a boolean"),
        ({"messages": []}, "'messages': empty array"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "'tool_choice': there is no tool"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "'messages[0].content[0].type': 'document'",
        ),
        ({"system": [{"type": "image", "source": {"type": "url", "url": "x"}}]}, "'system.content[0].type': 'image'"),
        ({"prompt_cache": False, "cache_ttl_seconds": 5}, "'cache_ttl_seconds'"),
    ],
)
async def test_bad_requests(world: World, fields: dict[str, Any], says: str) -> None:
    answer = await ask(world, **fields)
    assert answer.status == 400
    assert answer.json["type"] == "error"
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert says in answer.json["error"]["message"]
    assert answer.json["request_id"] == answer.headers["request-id"]
    assert (await ask(world)).status == 200


async def test_without_max_tokens(world: World) -> None:
    answer = await world.client.post("/v1/messages", {"messages": HELLO})
    assert (answer.status, answer.json["error"]["message"]) == (400, "Missing required parameter: 'max_tokens'.")


async def test_the_sdks_error_classes(build: Build) -> None:
    world = build(FakeEngine(fails_at=0), max_body_bytes=1000)
    request: Any = {"model": "deepseek-chat", "max_tokens": 5, "messages": HELLO}
    async with listening(world.app) as url, sdk(world, url) as client, sdk(world, url, "rx-nobody") as stranger:
        with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
            await client.messages.create(**request | {"max_tokens": -1})
        with pytest.raises(anthropic.NotFoundError, match="not_found_error"):
            await client.messages.create(**request | {"model": "nobody"})
        with pytest.raises(anthropic.AuthenticationError, match="authentication_error"):
            await stranger.messages.create(**request)
        with pytest.raises(anthropic.APIStatusError) as large:
            await client.messages.create(**request | {"system": "x" * 2000})
        with pytest.raises(anthropic.OverloadedError, match="overloaded_error") as overloaded:
            await client.messages.create(**request)
    assert large.value.status_code == 413
    assert "request_too_large" in str(large.value)
    assert overloaded.value.status_code == 529
    assert overloaded.value.response.headers["retry-after"] == "1"
    assert overloaded.value.request_id == overloaded.value.response.headers["x-request-id"]


async def test_an_error_in_mid_stream(build: Build) -> None:
    world = build(FakeEngine(fails_at=4))
    *_, last = events(await ask(world, stream=True))
    assert last["type"] == "error"
    assert last["error"]["type"] == "overloaded_error"
    assert last["request_id"].startswith("req_")
    async with listening(world.app) as url, sdk(world, url) as client:
        stream = await client.messages.create(model="gpt-4.1", max_tokens=20, messages=HELLO, stream=True)
        with pytest.raises(anthropic.APIStatusError, match="engine died"):
            [event async for event in stream]


async def test_counts_that_waited_are_sent_before_the_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":20}}'
    chunks = [GenerateChunk(0, raw=b'{"type":"ping"}', event="ping"), GenerateChunk(0, raw=raw, event="message_delta")]
    failure = UpstreamError("The upstream cut the connection.", retryable=False)
    asks(monkeypatch, world, Scripted(chunks, frozenset({"messages"}), failure))
    body = (await ask(world, stream=True)).body
    assert body.index(b"message_delta") < body.index(b"event: error")
    assert b'"type":"api_error","message":"The upstream cut the connection."' in body


@pytest.mark.parametrize(
    ("given", "sent", "kind"),
    [
        (400, 400, "invalid_request_error"),
        (401, 401, "authentication_error"),
        (402, 402, "billing_error"),
        (403, 403, "permission_error"),
        (404, 404, "not_found_error"),
        (405, 405, "invalid_request_error"),
        (408, 408, "timeout_error"),
        (413, 413, "request_too_large"),
        (422, 422, "invalid_request_error"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (502, 502, "api_error"),
        (503, 529, "overloaded_error"),
        (504, 504, "timeout_error"),
    ],
)
def test_every_status_has_its_type(given: int, sent: int, kind: str) -> None:
    error = RadixaError("what was wrong")
    error.status = given
    assert status(error) == sent
    assert json.loads(error_json(error, "req_1")) == {
        "error": {"type": kind, "message": "what was wrong"},
        "request_id": "req_1",
        "type": "error",
    }
