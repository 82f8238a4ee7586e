"""The bodies of OpenAI's responses as conversations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from radixa.core.conversation import (
    ConversationMessage,
    Image,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from radixa.core.errors import InvalidRequest
from radixa.gateway.dialects.base import Understood
from radixa.gateway.dialects.responses.body import understand
from radixa.gateway.dialects.responses.output import echo
from radixa.gateway.wishes import Mark

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
EXPLICIT = {"mode": "explicit"}


def read(**fields: Any) -> Understood:
    return understand(json.dumps({"model": "m", "input": "hello"} | fields).encode(), 1 << 31)


def conversation(**fields: Any) -> Any:
    (found,) = read(**fields).prompts
    return found


def messages(*items: Any) -> tuple[ConversationMessage, ...]:
    return tuple(conversation(input=list(items)).messages)


def test_a_text_and_a_list_of_one_message_are_the_same() -> None:
    expected = (ConversationMessage("user", (Text("hello"),)),)
    assert conversation().messages == expected
    assert messages({"role": "user", "content": "hello"}) == expected
    assert (
        messages({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}) == expected
    )


def test_instructions_come_first() -> None:
    found = conversation(instructions="be brief", input=[{"role": "developer", "content": "b"}])
    assert [message.role for message in found.messages] == ["system", "system"]
    assert [found.place(0), found.place(1)] == ["instructions", "input[0]"]


def test_every_kind_of_content() -> None:
    (message,) = messages(
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see", "prompt_cache_breakpoint": EXPLICIT},
                {"type": "input_image", "image_url": "https://e.test/a.png", "detail": "low"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"},
                {"type": "input_image", "file_id": "file_1", "detail": "auto"},
                {"type": "input_file", "file_id": "file_1"},
            ],
        }
    )
    assert message.parts == (
        Text("see", "30m"),
        Image(url="https://e.test/a.png", detail="low"),
        Image(media_type="image/png", data="aGk=", detail="auto"),
        Opaque("input_image"),
        Opaque("input_file"),
    )
    (message,) = messages(
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "a", "annotations": []},
                {"type": "refusal", "refusal": "no"},
            ],
        }
    )
    assert message == ConversationMessage("assistant", (Text("a"), Text("no")))


TURNS: list[Any] = [
    {"role": "user", "content": "weather?"},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "s"},
    {"role": "assistant", "content": "Let me see."},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
    {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}", "id": "fc_1", "status": "completed"},
    {"type": "function_call_output", "call_id": "c1", "output": "sun"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "noon"}]},
    {"role": "assistant", "content": "Sun."},
    {"role": "assistant", "content": "And noon."},
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "sealed"},
]


def test_what_an_assistant_did_in_one_turn_is_one_message() -> None:
    found = conversation(input=TURNS)
    assert found.messages == (
        ConversationMessage("user", (Text("weather?"),)),
        ConversationMessage(
            "assistant",
            (
                Thinking("hm", signature="s"),
                Text("Let me see."),
                ToolCall("c1", "f", '{"a":1}'),
                ToolCall("c2", "g", "{}"),
            ),
        ),
        ConversationMessage("tool", (ToolResult("c1", (Text("sun"),)),)),
        ConversationMessage("tool", (ToolResult("c2", (Text("noon"),)),)),
        ConversationMessage("assistant", (Text("Sun."),)),
        ConversationMessage("assistant", (Text("And noon."), Thinking("", redacted="sealed"))),
    )
    assert [found.place(i) for i in range(6)] == [f"input[{i}]" for i in (0, 1, 5, 6, 7, 8)]
    led = conversation(input=TURNS, instructions="x")
    assert [led.place(i) for i in range(4)] == ["instructions", "input[0]", "input[1]", "input[5]"]


def test_tools_and_how_they_are_chosen() -> None:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    found = conversation(tools=[tool, {"type": "function", "name": "g"}], parallel_tool_calls=False)
    assert [(t.name, t.description, t.strict) for t in found.tools] == [("f", "d", True), ("g", "", None)]
    assert json.loads(bytes(found.tools[0].parameters)) == SCHEMA
    assert found.parallel_tool_calls is False
    for given, wanted in [
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ("none", ToolChoice("none")),
        ({"type": "function", "name": "f"}, ToolChoice("tool", "f")),
        (None, None),
    ]:
        assert conversation(tools=[tool], tool_choice=given).tool_choice == wanted


def test_the_answers_shape_and_effort() -> None:
    assert conversation(text={"format": {"type": "text"}, "verbosity": "low"}).response_format is None
    assert conversation(text={"format": {"type": "json_object"}}).response_format.type == "json_object"
    schema = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    found = conversation(text={"format": schema}, reasoning={"effort": "low", "summary": "auto"})
    assert (found.response_format.name, found.response_format.strict) == ("n", True)
    assert json.loads(bytes(found.response_format.schema)) == SCHEMA
    assert found.effort == "low"


def test_sampling() -> None:
    found = read(max_output_tokens=7, temperature=0.5, top_p=0.9, include=["message.output_text.logprobs"]).sampling
    assert (found.max_tokens, found.temperature, found.top_p, found.logprobs) == (7, 0.5, 0.9, 0)
    assert read(top_logprobs=3).sampling.logprobs == 3
    assert read(top_logprobs=0, include=["reasoning.encrypted_content"]).sampling.logprobs is None


def test_what_asks_for_nothing_special_is_no_obstacle() -> None:
    names = [
        *("instructions", "tools", "tool_choice", "text", "reasoning", "include", "store", "background"),
        *("previous_response_id", "conversation", "prompt", "truncation", "metadata", "stream_options", "user"),
        *("temperature", "top_p", "top_logprobs", "max_output_tokens", "context_management", "moderation"),
    ]
    assert read(**dict.fromkeys(names)) == read()
    fine = {"store": True, "background": False, "truncation": "auto", "service_tier": "auto", "user": "u", "new": [1]}
    assert read(**fine).prompts == read().prompts


def test_breakpoints_are_marks_where_they_stand() -> None:
    content = [{"type": "input_text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    output = [{"type": "input_text", "text": "y", "prompt_cache_breakpoint": EXPLICIT | {"ttl": "12h"}}]
    found = read(
        tools=[{"type": "function", "name": "f", "cache_control": {"type": "ephemeral"}}],
        input=[
            {"role": "user", "content": content},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": output},
        ],
    )
    assert found.marks == [
        Mark("tools[0].cache_control", 300),
        Mark("input[0].content[0].cache_control", 3600),
        Mark("input[2].output[0].prompt_cache_breakpoint", 43200),
    ]


def test_a_response_repeats_what_its_body_said() -> None:
    found = echo(b'{"temperature": 0.50, "tools": null, "metadata": {"a": "b"}, "user": "u", "input": [1]}')
    said = {name: bytes(value) for name, value in found.items()}
    assert said["temperature"] == b"0.50"
    assert said["metadata"] == b'{"a": "b"}'
    assert (said["tools"], said["tool_choice"], said["user"]) == (b"[]", b'"auto"', b'"u"')
    assert "input" not in said


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "x"}, fields]}


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": None}, "input", "Missing required"),
        ({"input": []}, "input", "at least one item"),
        ({"input": 5}, "input", "a string or an array"),
        (item(content="x"), "input[1].role", "Missing"),
        (item(role="tool", content="x"), "input[1].role", "'developer'"),
        (item(role="user"), "input[1].content", "Missing"),
        (item(role="user", content=[{"type": "input_text"}]), "input[1].content[0].text", "Missing"),
        (item(role="user", content=[{"text": "x"}]), "input[1].content[0].type", "Missing"),
        (item(type="function_call", call_id="c", name="f"), "input[1].arguments", "Missing"),
        (item(type="function_call", call_id="c", name="f", arguments={}), "input[1].arguments", "expected a string"),
        (item(type="function_call_output", output="x"), "input[1].call_id", "Missing"),
        (item(type="function_call_output", call_id="c"), "input[1].output", "Missing"),
        (
            item(type="function_call_output", call_id="c", output=[{"type": "input_file", "file_id": "f"}]),
            "input[1].output[0].type",
            "text and images in a function's output",
        ),
        (item(type="item_reference", id="msg_1"), "input[1].type", "stores no items"),
        (item(type="computer_call"), "input[1].type", "'function_call_output' and 'reasoning'"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "OpenAI runs itself"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "Missing"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice.type", "Expected 'function'"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "Missing"),
        ({"tool_choice": "any"}, "tool_choice", "'auto'"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "'json_schema'"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "Missing"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "Missing"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "nothing is stored here"),
        ({"conversation": "conv_1"}, "conversation", "nothing is stored here"),
        ({"conversation": {"id": "conv_1"}}, "conversation", "nothing is stored here"),
        ({"background": True}, "background", "nothing is stored here"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "OpenAI's own store"),
        ({"context_management": [{"type": "compaction"}]}, "context_management", "compacts no"),
        ({"moderation": {"model": "m"}}, "moderation", "not moderated"),
        ({"include": ["everything"]}, "include[0]", "'everything'"),
        ({"truncation": "middle"}, "truncation", "'auto', 'disabled'"),
        ({"temperature": 2.5}, "temperature", "<= 2"),
        ({"top_logprobs": 21}, "top_logprobs", "<= 20"),
        ({"max_output_tokens": 0}, "max_output_tokens", ">= 1"),
        ({"metadata": {"a": 1}}, "metadata.a", "expected a string"),
    ],
)
def test_what_cannot_be_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(**fields)
    assert raised.value.param == param
    assert says in raised.value.message
