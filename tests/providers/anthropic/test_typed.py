"""Conversations of other dialects as Anthropic's bodies."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from anthropic.types import MessageCreateParams
from pydantic import TypeAdapter

from radixa.core.base import Grammar, SamplingParams
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
from radixa.core.errors import InvalidRequest
from radixa.providers.anthropic.provider import AnthropicProvider
from tests.providers.anthropic.conftest import asked, marks_of
from tests.providers.asking import chunks_of, said, text_of
from tests.upstreams.anthropic import SIGNATURE, AnthropicStandIn

PARAMS: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)
WEATHER = Tool("weather", "Of a city", msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))

AUDIO = Opaque("input_audio")


def call(number: str) -> ToolCall:
    return ToolCall(number, "weather", '{"city": "Gent"}')


async def body_of(provider: AnthropicProvider, upstream: AnthropicStandIn, request: Any) -> dict[str, Any]:
    await chunks_of(provider, request)
    body = upstream.requests[-1].json
    PARAMS.validate_python(body | {"stream": True})
    return dict(body)


async def test_every_part_has_its_form(anthropic: AnthropicProvider, upstream: AnthropicStandIn) -> None:
    request = asked(
        said("Be brief.", "system"),
        ConversationMessage("user", (Text("See:"), Image(url="https://x.test/a.png"), Image("", "image/png", "aGk="))),
        ConversationMessage(
            "assistant", (Thinking("Hm.", SIGNATURE), Thinking("", "", "c2VhbGVk"), call("a.1"), call("b"))
        ),
        ConversationMessage("tool", (ToolResult("a.1", (Text("rain"),)),)),
        ConversationMessage("tool", (ToolResult("b", (Text("sun"),), error=True),)),
        said("And now?"),
        tools=(WEATHER, Tool("now")),
        sampling=SamplingParams(max_tokens=99, temperature=0.5, top_p=0.9, top_k=4, stop=("END",)),
    )
    body = await body_of(anthropic, upstream, request)
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][1]["content"]] == [
        "thinking", "redacted_thinking", "tool_use", "tool_use",
    ]  # fmt: skip
    assert body["messages"][1]["content"][2] == {
        "type": "tool_use", "id": "a_1", "name": "weather", "input": {"city": "Gent"},
    }  # fmt: skip
    last = body["messages"][2]["content"]
    assert [block.get("tool_use_id") for block in last] == ["a_1", "b", None]
    assert last[1]["is_error"] is True
    assert body["tools"][1]["input_schema"] == {"type": "object", "properties": {}}
    assert (body["max_tokens"], body["temperature"], body["top_p"], body["top_k"]) == (99, 0.5, 0.9, 4)
    assert body["stop_sequences"] == ["END"]


async def test_what_is_not_said_is_not_sent(anthropic: AnthropicProvider, upstream: AnthropicStandIn) -> None:
    body = await body_of(anthropic, upstream, asked("Hello"))
    assert set(body) == {"model", "messages", "max_tokens", "stream"}
    assert body["max_tokens"] == 8_192


async def test_a_later_system_message_is_said_where_it_stands(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    body = await body_of(anthropic, upstream, asked(said("A", "system"), "B", said("C", "system"), "D"))
    assert [block["text"] for block in body["system"]] == ["A"]
    assert [[block["text"] for block in message["content"]] for message in body["messages"]] == [["B", "C", "D"]]


@pytest.mark.parametrize(
    ("choice", "parallel", "wanted"),
    [
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("tool", "weather"), True, {"type": "tool", "name": "weather"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
async def test_tool_choices(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn, choice: Any, parallel: Any, wanted: Any
) -> None:
    request = asked("weather", tools=(WEATHER,), tool_choice=choice, parallel_tool_calls=parallel)
    assert (await body_of(anthropic, upstream, request))["tool_choice"] == wanted


async def test_shape_effort_and_thinking(anthropic: AnthropicProvider, upstream: AnthropicStandIn) -> None:
    shape = ResponseFormat("json_schema", "s", msgspec.Raw(b'{"type":"object"}'))
    body = await body_of(
        anthropic, upstream, asked("Hi", response_format=shape, effort="minimal", thinking_tokens=2_000)
    )
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "low"}
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
    assert body["max_tokens"] == 10_192
    assert (await body_of(anthropic, upstream, asked("Hi", effort="none")))["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize(
    ("sampling", "field"),
    [
        (SamplingParams(temperature=1.5), "temperature"),
        (SamplingParams(frequency_penalty=0.5), "frequency_penalty"),
        (SamplingParams(presence_penalty=0.5), "presence_penalty"),
        (SamplingParams(seed=1), "seed"),
        (SamplingParams(logit_bias={1: 1.0}), "logit_bias"),
        (SamplingParams(logprobs=0), "logprobs"),
        (SamplingParams(min_p=0.1), "min_p"),
        (SamplingParams(grammar=Grammar("regex", "a", "guided_regex")), "guided_regex"),
    ],
)
async def test_what_anthropic_does_not_have_is_refused(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn, sampling: SamplingParams, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await chunks_of(anthropic, asked("Hello", sampling=sampling))
    assert (refused.value.status, refused.value.param) == (400, field)
    assert not upstream.requests


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (asked("Hello", n=2), "n"),
        (asked("Hello", response_format=ResponseFormat("json_object")), "response_format"),
        (asked("Hello", conversation=None, token_ids=b"\0\0\0\0"), "prompt"),
        (
            asked("A", ConversationMessage("user", (AUDIO,))),
            "messages[1].content[0]",
        ),
        (asked(ConversationMessage("user", (Image("", "image/tiff", "aGk="),))), "messages[0].content[0]"),
        (
            asked("A", ConversationMessage("assistant", (ToolCall("a", "f", "[1]"),))),
            "messages[1]",
        ),
        (
            asked("A", ConversationMessage("assistant", (ToolCall("a", "f", '{"a":' + "[" * 100_000),))),
            "messages[1]",
        ),
    ],
)
async def test_refusals_name_the_field(anthropic: AnthropicProvider, request_: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await chunks_of(anthropic, request_)
    assert refused.value.param == field


async def test_a_prompt_is_what_a_user_says(anthropic: AnthropicProvider) -> None:
    assert text_of(await chunks_of(anthropic, asked(conversation=None, prompt="Once"))) == "You said: Once"


async def test_tool_calls_come_in_pieces_that_add_up(anthropic: AnthropicProvider) -> None:
    chunks = await chunks_of(anthropic, asked("weather now", tools=(WEATHER, Tool("now"))))
    calls = [piece for chunk in chunks for piece in chunk.tool_calls]
    assert [(piece.id, piece.name) for piece in calls if piece.id] == [("toolu_0", "weather"), ("toolu_1", "now")]
    for position in (0, 1):
        given = "".join(piece.arguments for piece in calls if piece.position == position)
        assert msgspec.json.decode(given) == {"city": "Gent"}
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["tool_calls"]


async def test_thinking_comes_with_its_signature(anthropic: AnthropicProvider) -> None:
    chunks = await chunks_of(anthropic, asked("THINK"))
    assert "".join(chunk.signature for chunk in chunks) == SIGNATURE
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.reasoning_tokens == 2


async def test_a_refusal_is_a_filtered_answer(anthropic: AnthropicProvider) -> None:
    chunks = await chunks_of(anthropic, asked("REFUSE"))
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["content_filter"]


async def test_the_callers_own_breakpoints_become_ones_that_anthropic_takes(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn
) -> None:
    wanted: list[Any] = ["5m", "5m", "30m", None, "12h", "5m"]
    message = ConversationMessage("user", tuple(Text(f"part {i}", mark) for i, mark in enumerate(wanted)))
    await chunks_of(anthropic, asked(message))
    assert marks_of(upstream.requests[0].json) == [
        "messages[0][1] 1h", "messages[0][2] 1h", "messages[0][4] 1h", "messages[0][5] 5m",
    ]  # fmt: skip
