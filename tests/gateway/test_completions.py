"""Text completions over the scripted engine: every form of prompt, the legacy log-probabilities, streams."""

from __future__ import annotations

from typing import Any

import pytest

from radixa.core.tokens import unpack
from tests.gateway.conftest import World
from tests.gateway.fakes import text_of


async def complete(world: World, **fields: Any) -> Any:
    answer = await world.client.post("/v1/completions", fields)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_whole_answer(world: World) -> None:
    body = await complete(world, prompt="Once", model="gpt-4.1-mini", best_of=1, echo=False, suffix="")
    assert body["id"].startswith("cmpl-")
    assert body["object"] == "text_completion"
    assert body["model"] == "gpt-4.1-mini"
    assert body["choices"] == [{"text": "forty-two", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"]["prompt_tokens"] == 4
    assert body["usage"]["completion_tokens"] == 9
    assert body["usage"]["radixa"]["cost_usd"] == pytest.approx(13 * 2.00 / 1e6, rel=1e-12)


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("text", ["text"]),
        (["one", "two"], ["one", "two"]),
        ([104, 105], ["hi"]),
        ([[104, 105], [106]], ["hi", "j"]),
    ],
)
async def test_every_form_of_prompt(world: World, prompt: object, seen: list[str]) -> None:
    body = await complete(world, prompt=prompt)
    assert [text_of(request) for request in world.engine.requests] == seen
    assert [choice["index"] for choice in body["choices"]] == list(range(len(seen)))
    assert body["usage"]["prompt_tokens"] == sum(map(len, seen))
    assert body["usage"]["completion_tokens"] == 9 * len(seen)


async def test_token_ids_go_to_the_engine_as_they_are(world: World) -> None:
    await complete(world, prompt=[0, 256, 7])
    assert unpack(world.engine.requests[0].token_ids) == [0, 256, 7]


async def test_several_prompts_with_several_answers(world: World) -> None:
    body = await complete(world, prompt=["aaa", "bb"], n=2, cache_control="no-cache")
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3]
    # Each prompt is billed once, whatever n is.
    assert body["usage"]["prompt_tokens"] == 5
    assert body["usage"]["completion_tokens"] == 36
    assert len({request.request_id for request in world.engine.requests}) == 4


async def test_usage_of_several_prompts_adds_up(world: World) -> None:
    await complete(world, prompt="same prefix")
    usage = (await complete(world, prompt=["same prefix, A", "same prefix. B", "other"], n=2))["usage"]
    details = usage["prompt_tokens_details"]
    assert usage["prompt_tokens"] == 14 + 14 + 5
    # Each prompt counts as the answer that hit least of it: the second ones find what the first ones left.
    assert usage["cached_tokens"] == details["cached_tokens"] == 11 + 11
    assert details["cache_write_tokens"] == 3 + 3 + 5


async def test_legacy_logprobs(world: World) -> None:
    body = await complete(world, prompt="x", logprobs=2, max_tokens=2)
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["logprobs"] == {
        "tokens": ["f", "o"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{"f": -0.5, "g": -1.5}, {"o": -0.5, "p": -1.5}],
        "text_offset": [0, 1],
    }
    none = await complete(world, prompt="x", logprobs=0, max_tokens=1)
    assert none["choices"][0]["logprobs"]["top_logprobs"] is None
    assert none["choices"][0]["logprobs"]["tokens"] == ["f"]


async def test_a_stream(world: World) -> None:
    answer = await world.client.post(
        "/v1/completions",
        {"prompt": ["a", "b"], "stream": True, "logprobs": 1, "stream_options": {"include_usage": True}},
    )
    *pieces, usage = answer.events
    texts: dict[int, str] = {0: "", 1: ""}
    offsets: dict[int, list[int]] = {0: [], 1: []}
    for piece in pieces:
        assert piece["usage"] is None
        (choice,) = piece["choices"]
        texts[choice["index"]] += choice["text"]
        offsets[choice["index"]] += choice["logprobs"]["text_offset"]
    assert texts == {0: "forty-two", 1: "forty-two"}
    assert offsets == {0: list(range(9)), 1: list(range(9))}
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 2
    assert usage["usage"]["completion_tokens"] == 18


async def test_tokenize_and_back(world: World) -> None:
    for body in ({"prompt": "hé"}, {"text": "hé", "model": "gpt-4.1"}):
        answer = (await world.client.post("/v1/tokenize", body)).json
        assert answer["tokens"] == [0x68, 0xC3, 0xA9]
        assert answer["count"] == 3
        assert answer["max_model_len"] == 1000
    back = (await world.client.post("/v1/detokenize", {"tokens": [0x68, 0xC3, 0xA9, 256]})).json
    assert back["text"] == back["prompt"] == "hé<end>"


async def test_tokenize_messages_as_chat_would(world: World) -> None:
    messages = [{"role": "user", "content": "hi"}]
    tokens = (await world.client.post("/v1/tokenize", {"messages": messages})).json["tokens"]
    await world.client.post("/v1/chat/completions", {"messages": messages})
    assert unpack(world.engine.requests[0].token_ids) == tokens


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/tokenize", {}, "prompt"),
        ("/v1/tokenize", {"prompt": "x", "text": "x"}, "text"),
        ("/v1/tokenize", {"prompt": 5}, "prompt"),
        ("/v1/tokenize", {"messages": []}, "messages"),
        ("/v1/detokenize", {}, "tokens"),
        ("/v1/detokenize", {"tokens": [1, 300]}, "tokens[1]"),
        ("/v1/detokenize", {"tokens": ["x"]}, "tokens[0]"),
    ],
)
async def test_tokenize_refuses(world: World, path: str, body: dict[str, Any], param: str) -> None:
    answer = await world.client.post(path, body)
    assert (answer.status, answer.error["param"]) == (400, param)
