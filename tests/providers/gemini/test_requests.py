"""What Gemini is sent, held against the types of Google's own SDK."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from google.genai import types

from radixa.core.base import GenerateRequest, Grammar, SamplingParams
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
from radixa.providers.gemini.request import body_of, encode
from radixa.providers.gemini.signatures import ABSENT, call_id, marked
from tests.providers.asking import said
from tests.providers.gemini.conftest import asked

SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}')
WEATHER = Tool("weather", "The weather of a city.", SCHEMA)
CALL = ToolCall("call_1", "weather", '{"city": "Bern"}')
GEMINI_3 = "gemini-3.8-flash"


def sent(request: GenerateRequest) -> Any:
    """The body, every part of it known to the SDK's types, which refuse what they do not know."""
    body = json.loads(encode(body_of(request)))
    for content in body["contents"]:
        types.Content.model_validate(content)
    if "systemInstruction" in body:
        types.Content.model_validate(body["systemInstruction"])
    for tool in body.get("tools", []):
        types.Tool.model_validate(tool)
    if "toolConfig" in body:
        types.ToolConfig.model_validate(body["toolConfig"])
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    assert not set(body) - {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
    return body


def assistant(*parts: Any) -> ConversationMessage:
    return ConversationMessage("assistant", parts)


def result(call_id: str, *parts: Any, error: bool = False) -> ConversationMessage:
    return ConversationMessage("tool", (ToolResult(call_id, parts, error),))


def test_roles_and_the_system_instruction() -> None:
    body = sent(asked(said("Be brief.", "system"), "Hi", said("Hello.", "assistant"), said("Now French.", "system")))
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [{"text": "Hello."}]},
        {"role": "user", "parts": [{"text": "Now French."}]},
    ]
    assert "generationConfig" not in body


def test_messages_of_one_role_in_a_row_are_one_turn() -> None:
    body = sent(asked("one", "two", said("", "assistant"), "three"))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "one"}, {"text": "two"}, {"text": "three"}]}]


def test_a_conversation_of_the_system_alone_is_said_by_the_user() -> None:
    body = sent(asked(said("Say hello.", "system")))
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}


def test_a_conversation_that_says_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        body_of(asked(said("")))
    assert error.value.param == "messages"


def test_calls_and_their_results() -> None:
    body = sent(
        asked(
            "Weather?",
            assistant(Text("I look."), CALL, ToolCall("call_2", "weather", "")),
            result("call_1", Text("Rain"), Text(".")),
            result("call_2", Text("no such city"), error=True),
            "And now?",
            tools=(WEATHER,),
        )
    )
    calls, results, question = body["contents"][1:]
    assert calls["parts"] == [
        {"text": "I look."},
        {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Bern"}}},
        {"functionCall": {"id": "call_2", "name": "weather", "args": {}}},
    ]
    assert results == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "Rain."}}},
            {"functionResponse": {"id": "call_2", "name": "weather", "response": {"error": "no such city"}}},
        ],
    }
    # Gemini counts results against calls, so what is said beside them stands apart.
    assert question == {"role": "user", "parts": [{"text": "And now?"}]}
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "The weather of a city.",
                    "parametersJsonSchema": json.loads(bytes(SCHEMA)),
                }
            ]
        }
    ]


def test_results_and_words_in_one_message_as_anthropics_api_has_them() -> None:
    mixed = ConversationMessage("user", (ToolResult("call_1", (Text("Rain."),)), Text("And now?")))
    body = sent(asked("Weather?", assistant(CALL), mixed))
    assert [list(part) for content in body["contents"][2:] for part in content["parts"]] == [
        ["functionResponse"],
        ["text"],
    ]
    assert len(body["contents"]) == 4


def test_signatures_go_back_where_they_came_from() -> None:
    signed = ToolCall(call_id("abc", "+/8="), "weather", "{}")
    thought = Thinking("Hm.", marked("+/8="))
    body = sent(asked("?", assistant(thought, signed, CALL), result(signed.id, Text("!")), result("call_1", Text("!"))))
    assert body["contents"][1]["parts"] == [
        {"text": "Hm.", "thought": True, "thoughtSignature": "+/8="},
        {"functionCall": {"id": "abc", "name": "weather", "args": {}}, "thoughtSignature": "+/8="},
        {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Bern"}}},
    ]
    assert body["contents"][2]["parts"][0]["functionResponse"]["id"] == "abc"


def test_calls_of_other_models_carry_what_the_documentation_says() -> None:
    turns = ("?", assistant(CALL, ToolCall("call_2", "weather", "{}")))
    for model, signatures in ((GEMINI_3, [ABSENT, None]), ("gemini-2.5-flash", [None, None])):
        parts = sent(asked(*turns, model=model))["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == signatures


def test_thoughts_of_other_models_stay_behind() -> None:
    body = sent(asked("?", assistant(Thinking("Hm.", "EqQBCg"), Thinking("", marked("+/8=")), Text("Yes."))))
    assert body["contents"][1]["parts"] == [{"text": "Yes."}]


def test_images() -> None:
    shown = ConversationMessage(
        "user",
        (Image(url="data:image/webp;base64,aGk="), Image(media_type="image/jpeg", data="aGk="), Image(data="aGk=")),
    )
    assert sent(asked(shown))["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": kind, "data": "aGk="}} for kind in ("image/webp", "image/jpeg", "image/png")
    ]
    body = sent(asked("?", assistant(CALL), result("call_1", Text("Seen."), Image(data="aGk="))))
    assert body["contents"][2]["parts"][0]["functionResponse"]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    ]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://example.com/cat.png", "this gateway fetches none"),
        ("http://169.254.169.254/latest/meta-data", "this gateway fetches none"),
        ("file:///etc/passwd", "this gateway fetches none"),
        ("data:image/png,raw", "this gateway fetches none"),
        ("data:image/png;base64,&&&", "not base64"),
    ],
)
def test_nothing_is_fetched(url: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as error:
        body_of(asked("?", ConversationMessage("user", (Text("this:"), Image(url=url)))))
    assert error.value.param == "messages[1].content[1]"


@pytest.mark.parametrize(
    ("message", "param", "says"),
    [
        (assistant(Opaque("document")), "messages[1].content[0].type", "'document'"),
        (assistant(ToolCall("c", "f", "[1]")), "messages[1]", "the JSON of an object"),
        (assistant(ToolCall("c", "f", '{"a": ')), "messages[1]", "the JSON of an object"),
        (result("nobody", Text("!")), "messages[1]", "no message before it made"),
    ],
)
def test_parts_that_cannot_be_sent(message: ConversationMessage, param: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as error:
        body_of(asked("?", message))
    assert (error.value.status, error.value.param) == (400, param)


def test_sampling() -> None:
    given = SamplingParams(
        max_tokens=9,
        temperature=0.0,
        top_p=0.5,
        top_k=7,
        frequency_penalty=-1.0,
        presence_penalty=1.0,
        seed=2**40 + 5,
        stop=("a", "b"),
        logprobs=3,
    )
    assert sent(asked("?", sampling=given, n=2))["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 7,
        "frequencyPenalty": -1.0,
        "presencePenalty": 1.0,
        "seed": 5,
        "stopSequences": ["a", "b"],
        "responseLogprobs": True,
        "logprobs": 3,
        "candidateCount": 2,
    }
    assert sent(asked("?", sampling=SamplingParams(logprobs=0), open_ended=True))["generationConfig"] == {
        "responseLogprobs": True
    }


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (asked("?", sampling=SamplingParams(logit_bias={1: 1.0})), "logit_bias"),
        (asked("?", sampling=SamplingParams(min_p=0.1)), "min_p"),
        (asked("?", sampling=SamplingParams(grammar=Grammar("choices", '["a"]', "choices"))), "choices"),
        (asked("?", sampling=SamplingParams(repetition_penalty=1.1)), "repetition_penalty"),
        (asked("?", sampling=SamplingParams(ignore_eos=True)), "ignore_eos"),
        (asked("?", sampling=SamplingParams(stop_token_ids=(1,))), "stop_token_ids"),
        (asked("?", sampling=SamplingParams(max_tokens=0)), "max_tokens"),
        (asked("?", sampling=SamplingParams(logprobs=21)), "top_logprobs"),
        (asked("?", n=9), "n"),
        (asked("?", tools=(WEATHER,), parallel_tool_calls=False), "parallel_tool_calls"),
        (asked("?", conversation=None, token_ids=b"\0\0\0\0"), "prompt"),
        (asked("?", effort="enormous"), "reasoning_effort"),
    ],
)
def test_fields_that_gemini_has_not(request_: GenerateRequest, param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        body_of(request_)
    assert (error.value.status, error.value.param) == (400, param)


def test_a_plain_prompt() -> None:
    assert sent(asked("?", conversation=None, prompt="Once"))["contents"] == [
        {"role": "user", "parts": [{"text": "Once"}]}
    ]


def test_tool_choice() -> None:
    def calling(choice: ToolChoice | None, **changes: Any) -> Any:
        body = sent(asked("?", tools=(msgspec.structs.replace(WEATHER, **changes),), tool_choice=choice))
        return body["toolConfig"]["functionCallingConfig"]

    assert calling(None) == calling(ToolChoice("auto")) == {"mode": "AUTO"}
    assert calling(ToolChoice("none")) == {"mode": "NONE"}
    assert calling(ToolChoice("required")) == {"mode": "ANY"}
    assert calling(ToolChoice("tool", "weather")) == {"mode": "ANY", "allowedFunctionNames": ["weather"]}
    assert calling(None, strict=True) == {"mode": "VALIDATED"}
    bare = sent(asked("?", tools=(Tool("now"),)))
    assert bare["tools"] == [{"functionDeclarations": [{"name": "now"}]}]


def test_response_formats() -> None:
    shaped = sent(asked("?", response_format=ResponseFormat("json_schema", "place", SCHEMA)))["generationConfig"]
    assert shaped == {"responseMimeType": "application/json", "responseJsonSchema": json.loads(bytes(SCHEMA))}
    loose = sent(asked("?", response_format=ResponseFormat("json_object")))["generationConfig"]
    assert loose == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("effort", "tokens", "budget", "level"),
    [
        ("none", None, 0, "minimal"),
        ("minimal", None, 1024, "minimal"),
        ("low", None, 1024, "low"),
        ("medium", None, 8192, "medium"),
        ("high", None, 24576, "high"),
        (None, 0, 0, "minimal"),
        (None, 2000, 2000, "low"),
        (None, 10000, 10000, "medium"),
        ("low", 30000, 30000, "high"),
    ],
)
def test_how_much_is_thought(effort: str | None, tokens: int | None, budget: int, level: str) -> None:
    old = sent(asked("?", effort=effort, thinking_tokens=tokens))["generationConfig"]["thinkingConfig"]
    assert old == {"thinkingBudget": budget, "includeThoughts": budget > 0}
    new = sent(asked("?", effort=effort, thinking_tokens=tokens, model=GEMINI_3))["generationConfig"]["thinkingConfig"]
    assert new == {"thinkingLevel": level, "includeThoughts": budget > 0}
