"""Anthropic's bodies as conversations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from radixa.core.conversation import (
    ConversationMessage,
    Image,
    Opaque,
    ResponseFormat,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from radixa.core.errors import InvalidRequest
from radixa.gateway.dialects.base import Understood
from radixa.gateway.dialects.messages.body import understand
from radixa.gateway.wishes import Mark

HELLO = [{"role": "user", "content": "hello"}]
SHORT = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def read(**fields: Any) -> Understood:
    return understand(json.dumps({"model": "m", "max_tokens": 5, "messages": HELLO} | fields).encode(), 1 << 31)


def conversation(**fields: Any) -> Any:
    (found,) = read(**fields).prompts
    return found


def parts(*blocks: Any, role: str = "user") -> tuple[Any, ...]:
    (message,) = conversation(messages=[{"role": role, "content": list(blocks)}]).messages
    return tuple(message.parts)


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        read(**fields)
    assert raised.value.param is not None
    assert f"'{raised.value.param}" in raised.value.message
    return raised.value


def test_a_plain_body() -> None:
    found = conversation(system="be brief")
    assert found.messages == (
        ConversationMessage("system", (Text("be brief"),)),
        ConversationMessage("user", (Text("hello"),)),
    )
    assert [found.place(0), found.place(1)] == ["system", "messages[0]"]
    assert conversation().messages == (ConversationMessage("user", (Text("hello"),)),)
    assert conversation().place(0) == "messages[0]"


def test_every_kind_of_block() -> None:
    assert parts(
        {"type": "text", "text": "see", "citations": None},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://e.test/a.png"}, "cache_control": SHORT},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "text", "data": "d", "media_type": "text/plain"}},
    ) == (
        Text("see"),
        Image(media_type="image/png", data="aGk="),
        Image(url="https://e.test/a.png", breakpoint="5m"),
        Opaque("image"),
        Opaque("document"),
    )
    assert parts(
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1.50, "b": [None]}},
        role="assistant",
    ) == (
        Thinking("hm", signature="c2ln"),
        Thinking("", redacted="c2VhbGVk"),
        ToolCall("t1", "f", '{"a":1.5,"b":[null]}'),
    )


def test_what_tools_answered() -> None:
    inner = [{"type": "text", "text": "x"}, {"type": "image", "source": {"type": "url", "url": "https://e.test"}}]
    assert parts(
        {"type": "tool_result", "tool_use_id": "t1", "content": "fine"},
        {"type": "tool_result", "tool_use_id": "t2", "content": inner, "is_error": True, "cache_control": LONG},
        {"type": "tool_result", "tool_use_id": "t3"},
        {"type": "text", "text": "and now?"},
    ) == (
        ToolResult("t1", (Text("fine"),)),
        ToolResult("t2", (Text("x"), Image(url="https://e.test")), error=True, breakpoint="1h"),
        ToolResult("t3", ()),
        Text("and now?"),
    )


def test_tools_and_how_they_are_chosen() -> None:
    tool = {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True, "cache_control": SHORT}
    found = conversation(tools=[tool, {"name": "g", "type": "custom", "input_schema": {}}])
    assert [(t.name, t.description, t.strict, t.breakpoint) for t in found.tools] == [
        ("f", "d", True, "5m"),
        ("g", "", None, None),
    ]
    assert json.loads(bytes(found.tools[0].parameters)) == SCHEMA
    for given, wanted, parallel in [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "tool", "name": "f", "disable_parallel_tool_use": False}, ToolChoice("tool", "f"), True),
    ]:
        found = conversation(tools=[tool], tool_choice=given)
        assert (found.tool_choice, found.parallel_tool_calls) == (wanted, parallel)
    assert conversation().tool_choice is None


def test_thinking_effort_and_the_answers_shape() -> None:
    assert conversation(thinking={"type": "enabled", "budget_tokens": 2048}).thinking_tokens == 2048
    assert conversation(thinking={"type": "disabled"}).thinking_tokens == 0
    assert conversation(thinking={"type": "adaptive"}).thinking_tokens is None
    found = conversation(output_config={"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}})
    assert found.effort == "high"
    assert isinstance(found.response_format, ResponseFormat)
    assert json.loads(bytes(found.response_format.schema)) == SCHEMA


def test_sampling() -> None:
    found = read(temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["a", "b", "c", "d", "e"]).sampling
    assert (found.max_tokens, found.temperature, found.top_p, found.top_k) == (5, 0.5, 0.9, 40)
    assert found.stop == ("a", "b", "c", "d", "e")
    assert read(max_tokens=0).sampling.max_tokens == 0
    names = ("system", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice", "thinking")
    assert read(**dict.fromkeys(names)).sampling == read().sampling
    assert read(metadata={"user_id": "u"}, service_tier="auto", nobody_knows=[1]).prompts == read().prompts


def test_breakpoints_are_marks_where_they_stand() -> None:
    found = read(
        tools=[{"name": "f", "input_schema": {}}, {"name": "g", "input_schema": {}, "cache_control": LONG}],
        system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": SHORT}],
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "y", "cache_control": LONG}],
                    }
                ],
            },
        ],
    )
    assert found.marks == [
        Mark("tools[1].cache_control", 3600),
        Mark("system[1].cache_control", 300),
        Mark("messages[0].content[0].prompt_cache_breakpoint", 1800),
        Mark("messages[1].content[0].content[0].cache_control", 3600),
    ]


def message(*blocks: Any) -> dict[str, Any]:
    return {"messages": [*HELLO, {"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"messages": []}, "messages", "empty array"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "'assistant', 'system', 'user'"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "Missing required"),
        (message("x"), "messages[1].content[0]", "expected an object"),
        (message({"text": "x"}), "messages[1].content[0].type", "Missing required"),
        (message({"type": "text"}), "messages[1].content[0].text", "Missing required"),
        (message({"type": "text", "text": 5}), "messages[1].content[0].text", "expected a string"),
        (message({"type": "image"}), "messages[1].content[0].source", "Missing required"),
        (message({"type": "image", "source": {"type": "url"}}), "messages[1].content[0].source.url", "Missing"),
        (
            message({"type": "image", "source": {"type": "base64", "data": "x"}}),
            "messages[1].content[0].source.media_type",
            "Missing",
        ),
        (message({"type": "tool_use", "id": "1", "name": "f"}), "messages[1].content[0].input", "Missing"),
        (
            message({"type": "tool_use", "id": "1", "name": "f", "input": "{}"}),
            "messages[1].content[0].input",
            "expected an object",
        ),
        (message({"type": "tool_result"}), "messages[1].content[0].tool_use_id", "Missing"),
        (
            message({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document"}]}),
            "messages[1].content[0].content[0].type",
            "text and images in a tool's result",
        ),
        (
            message({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}),
            "messages[1].content[0].cache_control.ttl",
            "'1h', '5m'",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type", "Anthropic's own"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema", "Missing"),
        ({"tools": [{"name": "f", "input_schema": "x"}]}, "tools[0].input_schema", "expected an object"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name", "Missing"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", "Missing"),
        ({"tool_choice": {"type": "all"}}, "tool_choice.type", "'any', 'auto', 'none', 'tool'"),
        ({"temperature": 1.5}, "temperature", "<= 1"),
        ({"top_k": -1}, "top_k", ">= 0"),
        ({"stop_sequences": [""]}, "stop_sequences[0]", "empty string"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens", ">= 1"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type", "'json_schema'"),
        ({"mcp_servers": [{"url": "https://e.test"}]}, "mcp_servers", "only Anthropic"),
        ({"system": 5}, "system", "a string or an array"),
    ],
)
def test_what_cannot_be_is_named(fields: dict[str, Any], param: str, says: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert says in error.message
