"""Bad input: the right status, the field's name, what was expected and what came (law 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radixa.core.config import ModelEntry
from radixa.core.errors import InvalidRequest
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.dialects.chat.body import ChatBody
from radixa.gateway.dialects.completions.body import CompletionBody
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import FakeEngine

MESSAGES = [{"role": "user", "content": "hello"}]

CHAT = [
    # what is wrong, the field, the code, what the message must say
    ({"messages": None}, "messages", "invalid_type", "expected an array, but got null"),
    ({"messages": []}, "messages", "empty_array", "minimum length 1, but got an empty array"),
    ({"messages": {"role": "user"}}, "messages", "invalid_type", "expected an array, but got an object"),
    ({"messages": ["hello"]}, "messages[0]", "invalid_type", "expected an object, but got a string"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter", "Missing required"),
    ({"messages": [{"role": "owner", "content": "x"}]}, "messages[0].role", "invalid_value", "'owner'. Supported"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "invalid_type", "a string or an array"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type", "a string or an array"),
    (
        {"messages": [*MESSAGES, {"role": "user", "content": [{"type": "text", "text": 5}]}]},
        "messages[1].content[0].text",
        "invalid_type",
        "expected a string, but got an integer",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
        "missing_required_parameter",
        "Missing required",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages[0].content[0].type",
        "invalid_value",
        "'image'. The embedded engine reads text only",
    ),
    (
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "[1]"}}],
                }
            ]
        },
        "messages[0]",
        "invalid_value",
        "the JSON of an object",
    ),
    ({"model": 5}, "model", "invalid_type", "expected a string, but got an integer"),
    ({"max_tokens": -1}, "max_tokens", "integer_below_min_value", "Expected a value >= 1, but got -1"),
    ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", "Expected a value >= 1, but got 0"),
    ({"max_tokens": "5"}, "max_tokens", "invalid_type", "expected an integer, but got a string"),
    ({"max_tokens": 1.5}, "max_tokens", "invalid_type", "expected an integer, but got a decimal"),
    ({"max_tokens": True}, "max_tokens", "invalid_type", "expected an integer, but got a boolean"),
    ({"max_tokens": 10**30}, "max_tokens", "integer_above_max_value", "Expected a value <= 2"),
    ({"max_completion_tokens": -5}, "max_completion_tokens", "integer_below_min_value", "but got -5"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", "invalid_value", "at the same time"),
    ({"temperature": 2.5}, "temperature", "decimal_above_max_value", "Expected a value <= 2, but got 2.5"),
    ({"temperature": -0.1}, "temperature", "decimal_below_min_value", "Expected a value >= 0, but got -0.1"),
    ({"temperature": "hot"}, "temperature", "invalid_type", "expected a decimal, but got a string"),
    ({"top_p": 1.1}, "top_p", "decimal_above_max_value", "<= 1"),
    ({"min_p": -1}, "min_p", "decimal_below_min_value", ">= 0"),
    ({"top_k": -2}, "top_k", "integer_below_min_value", ">= -1"),
    ({"repetition_penalty": 0}, "repetition_penalty", "decimal_below_min_value", ">= 0.01"),
    ({"frequency_penalty": 2.1}, "frequency_penalty", "decimal_above_max_value", "<= 2"),
    ({"presence_penalty": -2.1}, "presence_penalty", "decimal_below_min_value", ">= -2"),
    ({"n": 0}, "n", "integer_below_min_value", ">= 1"),
    ({"n": 129}, "n", "integer_above_max_value", "<= 128"),
    ({"seed": 2**63}, "seed", "integer_above_max_value", "9.22337e+18"),
    ({"stop": ["1", "2", "3", "4", "5"]}, "stop", "array_above_max_length", "maximum length 4, but got an array with"),
    ({"stop": [""]}, "stop[0]", "empty_string", "minimum length 1, but got an empty string"),
    ({"stop": ""}, "stop", "empty_string", "minimum length 1"),
    ({"stop": 5}, "stop", "invalid_type", "a string or an array"),
    ({"stop": ["x", 5]}, "stop[1]", "invalid_type", "expected a string, but got an integer"),
    ({"stop": "x" * 1025}, "stop", "string_above_max_length", "maximum length 1024, but got a string with length 1025"),
    ({"stop_token_ids": [1, 300]}, "stop_token_ids[1]", "invalid_value", "300. Expected 0 to 256"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5", "decimal_above_max_value", "<= 100, but got 101"),
    ({"logit_bias": {"1": 1, "2": "x"}}, "logit_bias.2", "invalid_type", "expected a decimal, but got a string"),
    ({"logit_bias": {"word": 1}}, "logit_bias", "invalid_value", "'word'. Expected a token id"),
    ({"logit_bias": {"257": 1}}, "logit_bias", "invalid_value", "257. Expected 0 to 256"),
    ({"logprobs": 5}, "logprobs", "invalid_type", "expected a boolean, but got an integer"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value", "<= 20"),
    ({"top_logprobs": 1}, "top_logprobs", "invalid_value", "only allowed when 'logprobs' is enabled"),
    ({"stream": "yes"}, "stream", "invalid_type", "expected a boolean, but got a string"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value", "only allowed when 'stream'"),
    (
        {"stream": True, "stream_options": {"include_usage": 1}},
        "stream_options.include_usage",
        "invalid_type",
        "a bool",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
        "tools[0]",
        "invalid_value",
        "the parameters of 'f' are no JSON schema",
    ),
    (
        {
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": {"type": "function", "function": {"name": "g"}},
        },
        "tool_choice",
        "invalid_value",
        "no tool 'g'",
    ),
    ({"tool_choice": "required"}, "tool_choice", "invalid_value", "needs tools"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter", "Missing"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_parameter", "one provider alone"),
    ({"functions": [{"name": "f"}]}, "functions", "unsupported_parameter", "replaced by tools"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": []}}},
        "response_format.json_schema.schema",
        "invalid_value",
        "no JSON schema",
    ),
    ({"regex": "a", "choices": ["b"]}, "regex", "invalid_value", "'regex' and 'choices' both say"),
    ({"choices": []}, "choices", "empty_array", "minimum length 1"),
    ({"choices": [""]}, "choices[0]", "empty_string", "minimum length 1"),
    ({"json_schema": "{"}, "json_schema", "invalid_value", "is no JSON"),
    ({"guided_json": 5}, "guided_json", "invalid_value", "is no schema"),
    ({"ebnf": "root ::= x"}, "ebnf", "unsupported_parameter", "Expected 'regex'"),
    ({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter", "text only"),
    ({"audio": {"voice": "x"}}, "audio", "unsupported_parameter", "text only"),
    # Cache wishes: checked from now on, also those that act later.
    ({"prompt_cache": 1}, "prompt_cache", "invalid_type", "expected a boolean, but got an integer"),
    ({"prompt_cache": True, "prefix_caching": False}, "prefix_caching", "invalid_value", "one switch"),
    ({"prompt_cache": False, "cache_control": "auto"}, "cache_control", "invalid_value", "'prompt_cache' turns off"),
    ({"prefix_caching": True, "cache_control": "no-cache"}, "cache_control", "invalid_value", "turns off"),
    ({"cache_control": "never"}, "cache_control", "invalid_value", "'auto', 'no-cache', 'no-store'"),
    ({"cache_control": 5}, "cache_control", "invalid_type", "or an object, but got an integer"),
    ({"cache_control": {"type": "forever"}}, "cache_control.type", "invalid_value", "'ephemeral'"),
    ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl", "invalid_value", "'1h', '5m'"),
    ({"cache_control": {}}, "cache_control.type", "missing_required_parameter", "Missing required"),
    ({"cache_ttl_seconds": 0}, "cache_ttl_seconds", "integer_below_min_value", ">= 1"),
    ({"cache_ttl_seconds": 86_401}, "cache_ttl_seconds", "integer_above_max_value", "<= 86400, but got 86401"),
    ({"cache_ttl_seconds": 1.5}, "cache_ttl_seconds", "invalid_type", "expected an integer"),
    ({"high_priority": "yes"}, "high_priority", "invalid_type", "expected a boolean"),
    ({"cache_salt": 5}, "cache_salt", "invalid_type", "expected a string"),
    ({"cache_salt": ""}, "cache_salt", "empty_string", "minimum length 1"),
    ({"prompt_cache_key": ["x"]}, "prompt_cache_key", "invalid_type", "expected a string, but got an array"),
    ({"session_id": 7}, "session_id", "invalid_type", "expected a string"),
    ({"prompt_cache_retention": "48h"}, "prompt_cache_retention", "invalid_value", "'24h'"),
    ({"prompt_cache_options": {"mode": "magic"}}, "prompt_cache_options.mode", "invalid_value", "'explicit'"),
    ({"prompt_cache_options": {"ttl": "1m"}}, "prompt_cache_options.ttl", "invalid_value", "'30m'"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {}}]}]},
        "messages[0].content[0].prompt_cache_breakpoint.mode",
        "missing_required_parameter",
        "Missing required",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": "auto"}]}]},
        "messages[0].content[0].cache_control",
        "invalid_type",
        "expected an object, but got a string",
    ),
]


@pytest.mark.parametrize(("fields", "param", "code", "says"), CHAT, ids=lambda case: json.dumps(case)[:60])
async def test_a_chat_body_that_cannot_be(
    world: World, fields: dict[str, Any], param: str, code: str, says: str
) -> None:
    answer = await world.client.post("/v1/chat/completions", {"messages": MESSAGES} | fields)
    assert answer.status == 400
    assert answer.error["param"] == param
    assert answer.error["code"] == code
    assert answer.error["type"] == "invalid_request_error"
    assert says in answer.error["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert world.engine.requests == []


COMPLETIONS = [
    ({}, "prompt", "missing_required_parameter", "Missing required"),
    ({"prompt": 5}, "prompt", "invalid_type", "a string or an array"),
    ({"prompt": []}, "prompt", "empty_array", "empty array"),
    ({"prompt": [[]]}, "prompt[0]", None, "empty array"),
    ({"prompt": ["a", 5]}, "prompt", "invalid_type", "a mixture"),
    ({"prompt": [1, 2.5]}, "prompt[1]", "invalid_type", "but got a decimal"),
    ({"prompt": [[1, "a"]]}, "prompt[0][1]", "invalid_type", "expected an integer, but got a string"),
    ({"prompt": [1, 300]}, "prompt", "invalid_value", "300. Expected 0 to 256"),
    ({"prompt": [[1], [-1]]}, "prompt[1]", "invalid_value", "-1. Expected 0 to 256"),
    ({"prompt": ["x"] * 129}, "prompt", "array_above_max_length", "maximum length 128"),
    ({"prompt": ["x"] * 65, "n": 2}, "n", "invalid_value", "130 answers. Expected at most 128"),
    ({"prompt": ""}, "prompt", None, "no tokens"),
    ({"prompt": "x", "logprobs": 6}, "logprobs", "integer_above_max_value", "<= 5"),
    ({"prompt": "x", "logprobs": True}, "logprobs", "invalid_type", "expected an integer, but got a boolean"),
    ({"prompt": "x", "echo": True}, "echo", "unsupported_parameter", "not sent back"),
    ({"prompt": "x", "suffix": "y"}, "suffix", "unsupported_parameter", "continued"),
    ({"prompt": "x", "best_of": 3}, "best_of", "unsupported_parameter", "equal 'n' (1)"),
    ({"prompt": "x", "max_tokens": -1}, "max_tokens", "integer_below_min_value", ">= 1"),
    ({"prompt": "x", "prompt_cache": True, "prefix_caching": False}, "prefix_caching", "invalid_value", "one switch"),
]


@pytest.mark.parametrize(("body", "param", "code", "says"), COMPLETIONS, ids=lambda case: json.dumps(case)[:60])
async def test_a_completion_body_that_cannot_be(
    world: World, body: dict[str, Any], param: str, code: str | None, says: str
) -> None:
    answer = await world.client.post("/v1/completions", body)
    assert answer.status == 400
    assert (answer.error["param"], answer.error["code"]) == (param, code)
    assert says in answer.error["message"]
    assert world.engine.requests == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b"   ", "the body is empty"),
        (b"{", "truncated"),
        (b'{"messages": [}', "malformed"),
        (b"hello", "malformed"),
        (b'{"messages": []} trailing', "trailing"),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', "utf-8"),
        (b'{"temperature": NaN, "messages": []}', "malformed"),
        (b"[]", "Expected `object`, got `array`"),
        (b'"text"', "Expected `object`, got `str`"),
        (b"null", "Expected `object`, got `null`"),
        (b'{"x": ' + b"[" * 50_000, "nested too deeply"),
        (b'{"messages": [{"role": "user", "content": "\\ud83d"}]}', "Expected a JSON object"),
    ],
)
async def test_a_body_that_is_no_json_object(world: World, body: bytes, says: str) -> None:
    answer = await world.client.post("/v1/chat/completions", body)
    assert answer.status == 400
    assert answer.error["code"] == "invalid_json"
    assert "could not parse the JSON body" in answer.error["message"]
    assert says in answer.error["message"]


async def test_what_is_no_text_where_something_else_is_expected(world: World) -> None:
    answer = await world.client.post("/v1/chat/completions", b'{"messages": [], "max_tokens": "\xff"}')
    assert answer.status == 400
    assert answer.error["code"] == "invalid_json"
    assert "could not parse the JSON body" in answer.error["message"]


DIGITS = "9" * 5_000
WORD = "x" * 50_000


@pytest.mark.parametrize("name", ["limit", "depth", "min_tokens"])
@pytest.mark.parametrize("text", [DIGITS, "9" * 20, "٣", "-1", WORD])
async def test_a_query_that_is_no_number_in_range(world: World, name: str, text: str) -> None:
    answer = await world.client.get(f"/v1/cache/tree?{name}={text}")
    assert (answer.status, answer.error["param"]) == (400, name)
    assert "Expected a whole number from 1" in answer.error["message"]
    assert len(answer.error["message"]) < 250


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {DIGITS: 1}}, "logit_bias"),
        ({"logit_bias": {WORD: 1}}, "logit_bias"),
        ({"logit_bias": {WORD: "x"}}, f"logit_bias.{WORD[:100]}…"),
        ({"messages": [{"role": WORD, "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": WORD}]}]}, "messages[0].content[0].type"),
        ({"cache_control": WORD}, "cache_control"),
        ({"model": WORD}, None),
        ({"stop_token_ids": [10**4_000]}, "stop_token_ids[0]"),
        ({"seed": 10**4_000}, "seed"),
        ({"cache_ttl_seconds": -(10**1_000)}, "cache_ttl_seconds"),
    ],
    ids=lambda case: str(case)[:40],
)
async def test_no_error_repeats_a_value_of_any_length(world: World, fields: dict[str, Any], param: str | None) -> None:
    answer = await world.client.post("/v1/chat/completions", {"messages": MESSAGES} | fields)
    assert answer.status in (400, 404)
    assert answer.error["param"] == param
    assert len(answer.error["message"]) < 350


async def test_a_number_out_of_any_range(world: World) -> None:
    answer = await world.client.post("/v1/chat/completions", b'{"temperature": 1e999, "messages": []}')
    assert answer.status == 400
    assert answer.error["param"] == "temperature"


async def test_a_body_over_the_limit_is_read_to_its_end_and_refused(build: Build) -> None:
    world = build(max_body_bytes=1000)
    for size in (1001, 3500):
        answer = await world.client.post("/v1/chat/completions", b" " * size)
        assert answer.status == 413
        assert "limit of 1000 bytes" in answer.error["message"]
        assert answer.error["type"] == "invalid_request_error"
    padded = b'{"messages": [{"role": "user", "content": "hi"}]}'.ljust(1000)
    assert (await world.client.post("/v1/chat/completions", padded)).status == 200


async def test_a_flood_is_not_read_to_its_end(build: Build) -> None:
    world = build(max_body_bytes=1000)
    left = []

    async def flood() -> dict[str, Any]:
        left.append(1)
        assert len(left) < 100
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {world.client.key}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/completions", "query_string": b"", "headers": headers}
    await world.app(scope, flood, send)
    assert sent[0]["status"] == 413


async def test_a_prompt_over_the_context_says_both_numbers(build: Build) -> None:
    world = build(FakeEngine(context=200))
    answer = await world.client.chat("x" * 500)
    assert answer.status == 400
    assert answer.error["code"] == "context_length_exceeded"
    assert answer.error["param"] == "messages"
    assert "200 tokens" in answer.error["message"]
    assert "518 tokens" in answer.error["message"]
    text = await world.client.post("/v1/completions", {"prompt": "x" * 200})
    assert (text.error["code"], text.error["param"]) == ("context_length_exceeded", "prompt")
    assert (await world.client.post("/v1/completions", {"prompt": "x" * 199})).status == 200


async def test_a_prompt_and_answer_over_the_context(build: Build) -> None:
    world = build(FakeEngine(context=200))
    answer = await world.client.post("/v1/completions", {"prompt": "x" * 150, "max_tokens": 51})
    assert answer.status == 400
    assert answer.error["code"] == "context_length_exceeded"
    assert "201 tokens (150 in the prompt, 51 in the completion)" in answer.error["message"]
    assert (await world.client.post("/v1/completions", {"prompt": "x" * 150, "max_tokens": 50})).status == 200


async def test_a_prompt_over_the_pool(build: Build) -> None:
    world = build(FakeEngine(context=1000, capacity=100))
    answer = await world.client.post("/v1/completions", {"prompt": "x" * 100})
    assert answer.error["code"] == "context_length_exceeded"
    assert "100 tokens, and this server's KV pool holds 100" in answer.error["message"]


async def test_what_the_template_refuses(world: World) -> None:
    twice = [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}]
    answer = await world.client.post("/v1/chat/completions", {"messages": twice})
    assert (answer.status, answer.error["param"]) == (400, "messages")
    assert "one system message" in answer.error["message"]


async def test_a_model_nobody_has(world: World) -> None:
    answer = await world.client.chat(model="gpt-17")
    assert answer.status == 404
    assert answer.error == {
        "message": "The model `gpt-17` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }


async def test_a_catalogue_model_without_sandbox(build: Build) -> None:
    world = build(sandbox=False, models=(ModelEntry("odd", "nobody"),))
    answer = await world.client.chat(model="deepseek-chat")
    assert answer.status == 404
    assert answer.error["code"] == "model_not_found"
    assert "no key for deepseek-chat: set DEEPSEEK_API_KEY, or start with --sandbox" in answer.error["message"]
    odd = await world.client.chat(model="odd")
    assert "no provider 'nobody' for odd: describe it under [providers.nobody]" in odd.error["message"]


async def test_paths_and_methods(world: World) -> None:
    nowhere = await world.client.get("/v1/nothing")
    assert nowhere.status == 404
    assert nowhere.error["message"] == "Invalid URL (GET /v1/nothing)"
    wrong = await world.client.get("/v1/chat/completions")
    assert wrong.status == 405
    assert wrong.headers["allow"] == "POST, OPTIONS"
    assert "Expected POST" in wrong.error["message"]
    options = await world.client.call("OPTIONS", "/v1/models")
    assert (options.status, options.headers["allow"], options.body) == (204, "GET, HEAD, OPTIONS", b"")
    head = await world.client.call("HEAD", "/v1/models")
    full = await world.client.get("/v1/models")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"] == str(len(full.body))


def refusal(decode: Callable[[], object]) -> InvalidRequest | None:
    try:
        decode()
    except InvalidRequest as error:
        return error
    return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
fields_of_chat = st.sampled_from([field for field in ChatBody.__struct_fields__ if field != "messages"])


@given(st.dictionaries(fields_of_chat, json_values, max_size=4), json_values)
def test_whatever_comes_is_decoded_or_refused_with_a_field(fields: dict[str, Any], messages: Any) -> None:
    decode = BodyDecoder(ChatBody)
    body = json.dumps(fields | {"messages": messages}).encode()
    error = refusal(lambda: decode(body))
    if error is not None:
        assert error.status == 400
        assert error.param is not None
        assert error.param.split(".")[0].split("[")[0] in ChatBody.__struct_fields__
        assert error.param in error.message


@given(json_values)
def test_whatever_comes_as_a_prompt(prompt: Any) -> None:
    decode = BodyDecoder(CompletionBody)
    error = refusal(lambda: decode(json.dumps({"prompt": prompt}).encode()))
    if error is not None:
        assert error.param is not None
        assert error.param.startswith("prompt")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40))
async def test_no_bytes_crash_the_server(world: World, body: bytes) -> None:
    answer = await world.client.post("/v1/chat/completions", body)
    assert answer.status == 400
    assert answer.error["message"]


@pytest.mark.parametrize("depth", [1_000, 2_000, 40_000])
@pytest.mark.parametrize("field", ["model", "unknown", "stop", "messages"])
async def test_nested_too_deeply(world: World, field: str, depth: int) -> None:
    """Also where the type is wrong, for which the body is read once more to say so."""
    deep = "[" * depth + "]" * depth
    rest = "" if field == "messages" else ', "messages": []'
    answer = await world.client.post("/v1/chat/completions", f'{{"{field}": {deep}{rest}}}'.encode())
    assert answer.status == 400
    if depth > 1_000:
        assert "nested too deeply" in answer.error["message"]
