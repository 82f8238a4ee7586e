"""Bodies of the largest size: refused before they are decoded, or decoded beside the loop, so that others go on."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.errors import InvalidRequest
from radixa.gateway import decode, values
from radixa.gateway.values import MAX_VALUES, check_values
from tests.gateway.conftest import Build, World

MESSAGES = b'"messages": [{"role": "user", "content": "hello"}]'


def many(value: bytes, count: int) -> bytes:
    return b"[" + b",".join([value] * count) + b"]"


@pytest.fixture
def world(build: Build) -> World:
    return build(max_body_bytes=16 << 20)


TOO_MANY = [
    ("/v1/chat/completions", b'{"tools": ' + many(b'{"a":[1]}', 1_000_000) + b", " + MESSAGES + b"}"),
    ("/v1/chat/completions", b'{"messages": ' + many(b'{"role":"user","content":"x"}', 300_000) + b"}"),
    ("/v1/chat/completions", b'{"unknown": ' + many(b'"\\""', 2_000_000) + b", " + MESSAGES + b"}"),
    ("/v1/chat/completions", b'{"logit_bias": {"1":1' + b',"2":1' * 1_200_000 + b"}, " + MESSAGES + b"}"),
    ("/v1/completions", b'{"prompt": ' + many(b"1", 5_000_000) + b"}"),
    ("/v1/detokenize", b'{"tokens": ' + many(b"1", 5_000_000) + b"}"),
    ("/v1/tokenize", b'{"messages": ' + b"[" * 300_000 + b"]" * 300_000 + b"}"),
]


@pytest.mark.parametrize(("path", "body"), TOO_MANY, ids=[f"{path}-{len(body)}" for path, body in TOO_MANY])
async def test_too_many_values_are_refused_undecoded(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, body: bytes
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(decode.BodyDecoder, "__call__", never)
    answer = await world.client.post(path, body)
    assert (answer.status, answer.error["code"]) == (400, "too_many_values")
    assert f"at most {MAX_VALUES}" in answer.error["message"]


async def test_a_text_may_hold_any_number_of_commas(world: World) -> None:
    content = 'a, "b": [{\\' * 300_000
    answer = await world.client.chat(content)
    assert answer.error["code"] == "context_length_exceeded"


async def test_a_large_body_is_decoded_in_another_thread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    call = decode.BodyDecoder.__call__

    def noting(self: decode.BodyDecoder[Any], body: bytes) -> Any:
        threads.append(threading.current_thread())
        return call(self, body)

    monkeypatch.setattr(decode.BodyDecoder, "__call__", noting)
    for size in (100, 300_000):
        await world.client.chat("x" * size)
    assert [thread is threading.main_thread() for thread in threads] == [True, True, False, False]


@pytest.mark.parametrize(
    ("path", "body", "param", "says"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": ""}] * 10_001}, "messages", "length 10000"),
        ("/v1/tokenize", {"messages": [{"role": "user", "content": ""}] * 10_001}, "messages", "maximum length 10000"),
        ("/v1/completions", {"prompt": [1] * 131_073}, "prompt", "maximum length 131072"),
        ("/v1/completions", {"prompt": [[1] * 131_073]}, "prompt[0]", "maximum length 131072"),
        ("/v1/detokenize", {"tokens": [1] * 131_073}, "tokens", "maximum length 131072"),
        (
            "/v1/completions",
            {"prompt": "x", "logit_bias": dict.fromkeys(map(str, range(1_025)), 1)},
            "logit_bias",
            "at most 1024 entries, but got one with 1025",
        ),
    ],
)
async def test_limits_by_field(world: World, path: str, body: dict[str, Any], param: str, says: str) -> None:
    answer = await world.client.post(path, body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert says in answer.error["message"]


async def test_detokenize_names_the_token_that_is_none(world: World) -> None:
    answer = await world.client.post("/v1/detokenize", {"tokens": [1, 2, 257, 300]})
    assert (answer.status, answer.error["param"]) == (400, "tokens[2]")


async def test_keys_do_not_wait_behind_the_shared_threads(world: World) -> None:
    """All threads that anything else of the process may use are busy; a key that was not seen before works at once."""
    loop = asyncio.get_running_loop()
    release = threading.Event()
    busy = [loop.run_in_executor(None, release.wait) for _ in range(64)]
    try:
        _, client = world.account_client("other")
        answer = await asyncio.wait_for(client.get("/v1/models"), 10)
        assert answer.status == 200
    finally:
        release.set()
        await asyncio.gather(*busy)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a,[{"\\', max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text('b,[{"\\', max_size=3), inner, max_size=5),
    max_leaves=30,
)


def count(value: Any) -> int:
    """Values in a value, itself among them."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, below))


@given(json_values, st.integers(1, 40))
def test_values_are_counted_outside_of_strings_alone(value: Any, limit: int) -> None:
    """Refused only if there are more; an empty array or object may count as one more value."""
    body = json.dumps(value).encode()
    empty = json.dumps(value, separators=(",", ":")).encode()
    most = count(value) + empty.count(b"[]") + empty.count(b"{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "MAX_VALUES", limit)
        try:
            check_values(body)
        except InvalidRequest:
            assert most > limit
        else:
            assert count(value) <= limit


TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("value", [None, [], [TOOL], {}, "auto", 5, True])
async def test_functions_are_refused_and_none_are_well(world: World, value: Any) -> None:
    answer = await world.client.chat(functions=value)
    if value is None or value == []:
        assert answer.status == 200
    else:
        code = "unsupported_parameter" if isinstance(value, list) else "invalid_type"
        assert (answer.status, answer.error["param"], answer.error["code"]) == (400, "functions", code)


@pytest.mark.parametrize("value", [{}, "auto", 5, True])
async def test_tools_are_an_array(world: World, value: Any) -> None:
    answer = await world.client.chat(tools=value)
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, "tools", "invalid_type")
