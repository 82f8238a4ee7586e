"""What a conversation's wishes come to: the grammar, the tools, and the calls that are read from an answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from radixa.core.base import CachePolicy, GenerateChunk, GenerateRequest, Grammar, SamplingParams
from radixa.core.conversation import (
    Conversation,
    ConversationMessage,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from radixa.core.errors import InvalidRequest
from radixa.models.tools.hermes import HERMES
from radixa.models.tools.llama import LLAMA
from radixa.models.tools.smollm import SMOLLM
from radixa.providers.local.plain import plain
from radixa.providers.local.provider import LocalProvider
from radixa.providers.local.shape import MAX_TOOLS, Shape, shape
from tests.gateway.fakes import ByteTokenizer, FakeEngine, PlainTemplate, text_of

SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}')
WEATHER = Tool("get_weather", "The weather.", SCHEMA)
CLOCK = Tool("get_time", "The time.", msgspec.Raw(b'{"type":"object"}'), strict=True)
BOTH = (WEATHER, CLOCK)
DEEP = b'{"items":' * 600 + b"{}" + b"}" * 600
JSON = ResponseFormat("json_schema", "answer", msgspec.Raw(b'{"type":"integer"}'), True, place="text.format.schema")


def asked(*messages: ConversationMessage, **fields: Any) -> Conversation:
    return Conversation(messages or (ConversationMessage("user", (Text("hi"),)),), **fields)


def made(form: Any = HERMES, special: Any = None, sampling: SamplingParams | None = None, **fields: Any) -> Shape:
    known = special or {}
    return shape(sampling or SamplingParams(seed=4), asked(**fields), form, known.get)


def test_plain_wishes_ask_for_nothing() -> None:
    for fields in ({}, {"tool_choice": ToolChoice("auto")}, {"tools": BOTH, "tool_choice": ToolChoice("none")}):
        assert made(**fields) == Shape(SamplingParams(seed=4))
    assert shape(SamplingParams(seed=4), None, HERMES, {}.get) == Shape(SamplingParams(seed=4))


def test_the_shape_of_an_answer_keeps_its_place_in_the_body() -> None:
    assert made(response_format=JSON).sampling.grammar == Grammar(
        "json_schema", '{"type":"integer"}', "text.format.schema"
    )
    loose = made(response_format=msgspec.structs.replace(JSON, strict=None)).sampling.grammar
    assert loose is not None
    assert loose.lenient
    anything = made(response_format=ResponseFormat("json_object", place="text.format")).sampling.grammar
    assert anything == Grammar("json_object", place="text.format")
    pattern = SamplingParams(grammar=Grammar("regex", "a", "regex"))
    assert made(sampling=pattern).sampling == pattern


def test_tools_are_named_where_one_cannot_be() -> None:
    found = made(tools=BOTH)
    assert found.form is HERMES
    grammar = found.sampling.grammar
    assert grammar is not None
    assert grammar.kind == "lark"
    assert [(part.place, part.lenient) for part in grammar.parts] == [("tools[0]", True), ("tools[1]", False)]
    assert not found.sampling.special_text


def test_one_tool_of_several() -> None:
    grammar = made(tools=BOTH, tool_choice=ToolChoice("tool", "get_time")).sampling.grammar
    assert grammar is not None
    assert "get_weather" not in grammar.text
    assert [part.place for part in grammar.parts] == ["tools[1]"]


@pytest.mark.parametrize(
    ("form", "fields", "several"),
    [
        (SMOLLM, {}, True),
        (SMOLLM, {"parallel_tool_calls": True}, True),
        (SMOLLM, {"parallel_tool_calls": False}, False),
        (SMOLLM, {"tool_choice": ToolChoice("tool", "get_time")}, False),
        (LLAMA, {}, False),
    ],
)
def test_several_calls_where_they_may_be(form: Any, fields: Any, several: bool) -> None:
    grammar = made(form, tools=BOTH, **fields).sampling.grammar
    assert grammar is not None
    assert ('(", " call)*' in grammar.text) is several


def test_a_marker_that_is_a_token_is_asked_for_by_its_id_and_shown() -> None:
    found = made(SMOLLM, {"<tool_call>": 7}, tools=BOTH)
    assert found.sampling.special_text
    assert found.sampling.grammar is not None
    assert "<[7]> calls" in found.sampling.grammar.text
    assert '"</tool_call>"' in found.sampling.grammar.text


def test_tools_and_a_shape_together_are_calls_or_the_shape() -> None:
    grammar = made(tools=BOTH, response_format=JSON).sampling.grammar
    assert grammar is not None
    assert grammar.text.startswith("start: said | must\nsaid: %json ")
    assert grammar.text.count("start:") == 1
    assert [part.place for part in grammar.parts] == ["tools[0]", "tools[1]", "text.format.schema"]
    forced = made(tools=BOTH, response_format=JSON, tool_choice=ToolChoice("required")).sampling.grammar
    assert forced is not None
    assert "said" not in forced.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": ToolChoice("required")}, "tool_choice"),
        ({"tools": BOTH, "tool_choice": ToolChoice("tool", "other")}, "tool_choice"),
        ({"tools": (WEATHER, Tool("x", "", msgspec.Raw(b"[]")))}, "tools[1]"),
        ({"tools": (Tool("x", "", msgspec.Raw(b'{"type":"array"}')),)}, "tools[0]"),
        ({"tools": (WEATHER, Tool("x", "", msgspec.Raw(DEEP)))}, "tools[1]"),
        ({"response_format": ResponseFormat("json_schema", "x", msgspec.Raw(DEEP), place="p")}, "p"),
        ({"tools": (WEATHER,) * (MAX_TOOLS + 1)}, "tools"),
        ({"tools": BOTH, "sampling": SamplingParams(grammar=Grammar("regex", "a", "regex"))}, "regex"),
        ({"response_format": ResponseFormat("json_schema", "x", msgspec.Raw(b"5"), place="p")}, "p"),
    ],
)
def test_what_cannot_be(fields: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        made(**fields)
    assert caught.value.param == param


def test_results_within_one_message_are_several_in_the_prompt() -> None:
    """As Anthropic's API has them: all that the tools answered, and more words, in one message of the user's."""
    calls = (ToolCall("a", "get_weather", '{"city":"Oslo"}'), ToolCall("b", "get_time", ""))
    results = (ToolResult("a", (Text("7 C"),)), ToolResult("b", (Text("12"), Text(":30"))), Text("Go on."))
    found = plain(asked(ConversationMessage("assistant", calls), ConversationMessage("user", results)))
    assert [(m.role, m.content, m.name, m.tool_call_id) for m in found.messages] == [
        ("assistant", "", None, None),
        ("tool", "7 C", "get_weather", "a"),
        ("tool", "12:30", "get_time", "b"),
        ("user", "Go on.", None, None),
    ]
    assert [bytes(call.arguments) for call in found.messages[0].tool_calls] == [b'{"city":"Oslo"}', b"{}"]
    assert found.origins == (0, 1, 1, 1)


def request(conversation: Conversation, **fields: Any) -> GenerateRequest:
    return GenerateRequest("r", "m", "n", SamplingParams(max_tokens=900), CachePolicy(), conversation, **fields)


async def answered(engine: FakeEngine, conversation: Conversation, **fields: Any) -> list[GenerateChunk]:
    provider = LocalProvider("fake", engine, ByteTokenizer(), PlainTemplate())
    found = [chunk async for chunk in provider.generate(request(conversation, **fields))]
    await provider.close()
    return found


async def test_calls_are_streamed_as_deltas() -> None:
    calls = '[{"name": "get_weather", "arguments": {"city": "Rome"}}, {"name": "get_time", "arguments": {}}]'
    engine = FakeEngine(f"Hm.<tool_call>{calls}</tool_call>", context=5000)
    found = await answered(engine, asked(tools=BOTH))
    assert "".join(chunk.text for chunk in found) == "Hm."
    deltas = [delta for chunk in found for delta in chunk.tool_calls]
    first, *more = [delta for delta in deltas if delta.position == 0]
    assert first.name == "get_weather"
    assert first.id.startswith("call_")
    assert len(more) > 3
    assert json.loads("".join(delta.arguments for delta in [first, *more])) == {"city": "Rome"}
    assert {delta.position for delta in deltas} == {0, 1}
    assert found[-1].finish_reason == "tool_calls"
    # The meter still sees every token.
    assert sum(len(chunk.token_ids) for chunk in found) == len(engine.text)
    assert '<tools>[{"type": "function", "function": {"name": "get_weather"' in text_of(engine.requests[0])


async def test_each_answer_has_calls_and_ids_of_its_own() -> None:
    engine = FakeEngine('<tool_call>[{"name": "get_time", "arguments": {}}]</tool_call>', context=5000)
    found = await answered(engine, asked(tools=BOTH), n=2)
    ids = {(chunk.index, delta.id) for chunk in found for delta in chunk.tool_calls if delta.id}
    assert sorted(index for index, _ in ids) == [0, 1]
    assert len({call_id for _, call_id in ids}) == 2


async def test_words_alone_end_as_ever_and_calls_cut_off_by_length() -> None:
    (*_, last) = await answered(FakeEngine("It is <tool", context=5000), asked(tools=BOTH))
    assert last.finish_reason == "stop"
    cut = FakeEngine('<tool_call>[{"name": "get_time", "arguments": {' + " " * 1000, context=5000)
    (*_, last) = await answered(cut, asked(tools=BOTH))
    assert last.finish_reason == "length"
    text = "".join(chunk.text for chunk in await answered(FakeEngine("Is <tool", context=5000), asked(tools=BOTH)))
    assert text == "Is <tool"


async def test_a_prompt_that_misses_names_the_callers_own_message() -> None:
    """What the form puts before them, and what one message became, does not count."""
    provider = LocalProvider("fake", FakeEngine(context=5000), ByteTokenizer(), PlainTemplate())
    results = (ToolResult("a", (Text("seven"),)), Text("Go on."))
    messages = (
        ConversationMessage("assistant", (ToolCall("a", "get_weather", "{}"),)),
        ConversationMessage("user", results),
    )
    prompt = await provider.prepare(request(asked(*messages, tools=BOTH)))
    text = bytes(memoryview(prompt.token_ids).cast("i").tolist()).decode()
    for words, message in (("Go on", 1), ("seven", 1), ("get_weather", None)):
        turn = prompt.turn(text.index(words))
        assert (None if turn is None else turn.message) == message
    await provider.close()
