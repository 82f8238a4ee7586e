"""Constrained answers and tool calls through every API: what the engine is asked, and what the real one answers."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from openai import BadRequestError

from radixa.core.base import Grammar
from tests.gateway.conftest import World
from tests.gateway.live import Clients

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "degrees": {"type": "integer", "maximum": 50}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
TEXT = json.dumps(SCHEMA, separators=(",", ":"))
WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather in a city.", "parameters": SCHEMA},
}
ASK: Any = [{"role": "user", "content": "What is the weather in Paris?"}]


@pytest.mark.parametrize(
    ("fields", "grammar"),
    [
        ({"regex": "[0-9]+"}, Grammar("regex", "[0-9]+", "regex")),
        ({"guided_regex": "[0-9]+"}, Grammar("regex", "[0-9]+", "guided_regex")),
        ({"structured_outputs": {"regex": "a"}}, Grammar("regex", "a", "structured_outputs.regex")),
        ({"json_schema": SCHEMA}, Grammar("json_schema", TEXT, "json_schema")),
        ({"json_schema": json.dumps(SCHEMA)}, Grammar("json_schema", TEXT, "json_schema")),
        ({"guided_json": True}, Grammar("json_schema", "true", "guided_json")),
        ({"structured_outputs": {"json": SCHEMA}}, Grammar("json_schema", TEXT, "structured_outputs.json")),
        ({"structured_outputs": {"json_object": True}}, Grammar("json_object", "", "structured_outputs.json_object")),
        ({"choices": ["a", "é"]}, Grammar("choices", '["a","é"]', "choices")),
        ({"guided_choice": ["a"]}, Grammar("choices", '["a"]', "guided_choice")),
        ({"structured_outputs": {"choice": ["a"]}}, Grammar("choices", '["a"]', "structured_outputs.choice")),
        ({"regex": None, "json_schema": None, "structured_outputs": {}}, None),
    ],
)
async def test_what_other_engines_users_send(world: World, fields: dict[str, Any], grammar: Grammar | None) -> None:
    assert (await world.client.chat(**fields)).status == 200
    assert (await world.client.post("/v1/completions", {"prompt": "x"} | fields)).status == 200
    assert [asked.sampling.grammar for asked in world.engine.requests] == [grammar, grammar]


@pytest.mark.parametrize("fields", [{"response_format": {"type": "json_object"}}, {"choices": ["b"]}])
async def test_two_constraints_contradict_each_other(world: World, fields: dict[str, Any]) -> None:
    answer = await world.client.chat(regex="a", **fields)
    assert (answer.status, answer.error["param"]) == (400, "regex")
    assert "both say what the answer must be" in answer.error["message"]
    assert world.engine.requests == []


def chat(clients: Clients, **fields: Any) -> Any:
    given = {"model": "smollm2", "messages": ASK, "max_tokens": 80, "temperature": 0} | fields
    return clients.openai.chat.completions.create(**given)


def valid(text: str | None) -> None:
    jsonschema_rs.validate(SCHEMA, json.loads(text or ""))


def test_a_schema_in_chat_whole_and_streamed(clients: Clients) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA, "strict": True}}
    whole = chat(clients, response_format=form)
    valid(whole.choices[0].message.content)
    assert whole.choices[0].finish_reason == "stop"
    chunks = list(chat(clients, response_format=form, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole.choices[0].message.content
    cut = chat(clients, response_format=form, max_tokens=4).choices[0]
    assert cut.finish_reason == "length"


def test_any_object_and_the_fields_of_other_engines(clients: Clients) -> None:
    free = chat(clients, response_format={"type": "json_object"}, max_tokens=60).choices[0]
    assert isinstance(json.loads(free.message.content), dict) if free.finish_reason == "stop" else free.message.content
    for n, fields in ((3, {"regex": "[a-f]{3}[0-9]"}), (2, {"choices": ["billing", "technical"]})):
        for choice in chat(clients, n=n, temperature=1, extra_body=fields).choices:
            assert re.fullmatch("[a-f]{3}[0-9]|billing|technical", choice.message.content)
    made = clients.openai.completions.create(
        model="smollm2", prompt="The answer is", max_tokens=80, extra_body={"json_schema": SCHEMA}
    )
    valid(made.choices[0].text)


def test_a_schema_through_responses_and_messages(clients: Clients) -> None:
    made = clients.openai.responses.create(
        model="smollm2",
        input="What is the weather in Paris?",
        max_output_tokens=80,
        temperature=0,
        text={"format": {"type": "json_schema", "name": "weather", "schema": SCHEMA, "strict": True}},
    )
    valid(made.output_text)
    other = clients.anthropic.messages.create(
        model="smollm2",
        max_tokens=80,
        messages=ASK,
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    )
    valid(other.content[0].text)


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"extra_body": {"regex": "(a"}}, "regex", "unclosed group (at character 0)"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "x",
                        "strict": True,
                        "schema": {"properties": {"a": {"type": "array", "uniqueItems": True}}},
                    },
                }
            },
            "response_format.json_schema.schema.properties.a",
            "uniqueItems",
        ),
        (
            {
                "tools": [
                    WEATHER,
                    {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "x"}}}}},
                ]
            },
            "tools[1].properties.a",
            "Invalid type: x",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_compiled(clients: Clients, fields: Any, param: str, says: str, stream: bool) -> None:
    with pytest.raises(BadRequestError) as caught:
        chat(clients, stream=stream, **fields)
    assert caught.value.status_code == 400
    assert caught.value.param == param
    assert caught.value.code == "invalid_grammar"
    assert says in caught.value.message


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_call_in_chat_whole_and_streamed(clients: Clients, choice: Any) -> None:
    fields = {"tools": [WEATHER], "tool_choice": choice, "parallel_tool_calls": False}
    whole = chat(clients, **fields).choices[0]
    (call,) = whole.message.tool_calls
    assert (call.type, call.function.name, whole.finish_reason) == ("function", "get_weather", "tool_calls")
    assert whole.message.content is None
    valid(call.function.arguments)
    name = arguments = ""
    ids = set()
    for chunk in chat(clients, stream=True, **fields):
        for delta in chunk.choices[0].delta.tool_calls or ():
            assert delta.index == 0
            ids |= {delta.id} - {None}
            name += delta.function.name or ""
            arguments += delta.function.arguments or ""
        reason = chunk.choices[0].finish_reason
    assert (name, arguments, reason, len(ids)) == ("get_weather", call.function.arguments, "tool_calls", 1)
    answer = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    after = chat(clients, messages=[*ASK, whole.message.model_dump(exclude_none=True), answer], tools=[WEATHER])
    assert after.usage.prompt_tokens_details.cached_tokens > 100


def test_a_choice_of_none_and_auto(clients: Clients) -> None:
    free = chat(clients, tools=[WEATHER], tool_choice="none", max_tokens=8).choices[0]
    assert free.message.content
    assert not free.message.tool_calls
    auto = chat(clients, tools=[WEATHER], max_tokens=40).choices[0]
    for call in auto.message.tool_calls or ():
        assert call.function.name == "get_weather"


def test_a_call_through_responses(clients: Clients) -> None:
    tool: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}
    fields: Any = {"model": "smollm2", "input": ASK, "tools": [tool], "tool_choice": "required", "temperature": 0}
    made = clients.openai.responses.create(max_output_tokens=80, parallel_tool_calls=False, **fields)
    (item,) = made.output
    assert (item.type, item.name) == ("function_call", "get_weather")
    valid(item.arguments)
    output = {"type": "function_call_output", "call_id": item.call_id, "output": "21 degrees"}
    call = {"type": "function_call", "call_id": item.call_id, "name": item.name, "arguments": item.arguments}
    fields |= {"input": [*ASK, call, output], "tool_choice": "none"}
    assert clients.openai.responses.create(max_output_tokens=16, **fields).output_text
    with clients.openai.responses.stream(
        max_output_tokens=80, parallel_tool_calls=False, **(fields | {"input": ASK, "tool_choice": "required"})
    ) as stream:
        kinds = {event.type for event in stream}
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= kinds


def test_a_call_through_messages(clients: Clients) -> None:
    tool: Any = {"name": "get_weather", "description": "The weather in a city.", "input_schema": SCHEMA}
    wanted: Any = {"type": "any", "disable_parallel_tool_use": True}
    fields: Any = {"model": "smollm2", "max_tokens": 80, "tools": [tool]}
    made = clients.anthropic.messages.create(messages=ASK, tool_choice=wanted, **fields)
    (block,) = made.content
    assert (block.type, block.name, made.stop_reason) == ("tool_use", "get_weather", "tool_use")
    jsonschema_rs.validate(SCHEMA, block.input)
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "21 degrees"}
    talk: Any = [*ASK, {"role": "assistant", "content": [block.model_dump()]}, {"role": "user", "content": [result]}]
    assert clients.anthropic.messages.create(messages=talk, tool_choice={"type": "none"}, **fields).content
    with clients.anthropic.messages.stream(messages=ASK, tool_choice=wanted, **fields) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert final.content[0].type == "tool_use"
    jsonschema_rs.validate(SCHEMA, final.content[0].input)
