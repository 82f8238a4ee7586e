"""Chat completions over the scripted engine: shapes, streams, usage, what the engine was asked."""

from __future__ import annotations

import pytest

from radixa.core.base import CachePolicy
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import FakeEngine, text_of


async def test_a_whole_answer(world: World) -> None:
    answer = await world.client.chat("hi", model="deepseek-chat")
    assert answer.status == 200
    body = answer.json
    assert body["id"].startswith("chatcmpl-")
    assert body["object"] == "chat.completion"
    assert body["model"] == "deepseek-chat"
    assert body["system_fingerprint"].startswith("fp_")
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "forty-two", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    # "user: hi\nassistant: " is 20 bytes, so 20 tokens, all of them new.
    assert body["usage"] == {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "cached_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "radixa": {
            "served_by": "fake-model",
            "cost_usd": 0.00001218,  # (20 + 9) tokens at 0.42 $ a million
            "saved_usd": 0,
            "ttft_ms": body["usage"]["radixa"]["ttft_ms"],
            "tiers": {"device": 0, "host": 0, "disk": 0},
            "miss": {"at": 0, "reason": "never_seen", "message": None, "yours": "user: hi\nassistant: ", "tree": []},
        },
    }
    assert body["usage"]["radixa"]["ttft_ms"] > 0


async def test_headers_that_clients_read(world: World) -> None:
    answer = await world.client.chat(model="gpt-4.1")
    assert answer.headers["x-radixa-served-by"] == "fake-model"
    assert answer.headers["openai-version"] == "2020-10-01"
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    other = await world.client.chat()
    ids = [found.headers["x-request-id"] for found in (answer, other)]
    assert len(set(ids)) == 2
    assert all(found.startswith("req_") for found in ids)


async def test_the_engines_own_model_is_the_default_and_free(world: World) -> None:
    named, unnamed = await world.client.chat(model="fake-model"), await world.client.chat()
    assert named.json["model"] == unnamed.json["model"] == "fake-model"
    assert b'"cost_usd":0,"saved_usd":0,' in unnamed.body


async def test_a_second_request_hits_and_says_what_it_saved(world: World) -> None:
    await world.client.chat("the same", model="deepseek-chat")
    usage = (await world.client.chat("the same", model="deepseek-chat")).json["usage"]
    assert usage["prompt_tokens"] == 26
    assert usage["cached_tokens"] == usage["prompt_tokens_details"]["cached_tokens"] == 25
    assert usage["radixa"]["tiers"] == {"device": 25, "host": 0, "disk": 0}
    assert "miss" not in usage["radixa"]
    assert usage["radixa"]["cost_usd"] == pytest.approx((1 * 0.42 + 25 * 0.042 + 9 * 0.42) / 1e6, rel=1e-12)
    assert usage["radixa"]["saved_usd"] == pytest.approx(25 * (0.42 - 0.042) / 1e6, rel=1e-12)


async def test_a_stream_says_the_same_as_a_whole_answer(world: World) -> None:
    whole = (await world.client.chat("x", model="gpt-4.1", cache_control="no-cache")).json
    answer = await world.client.chat(
        "x", model="gpt-4.1", cache_control="no-cache", stream=True, stream_options={"include_usage": True}
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-radixa-served-by"] == "fake-model"
    first, *pieces, end, usage = answer.events
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    ]
    assert "".join(piece["choices"][0]["delta"]["content"] for piece in pieces) == "forty-two"
    assert end["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert usage["choices"] == []
    del usage["usage"]["radixa"]["ttft_ms"], whole["usage"]["radixa"]["ttft_ms"]
    assert usage["usage"] == whole["usage"]
    for event in (first, *pieces, end):
        assert event["object"] == "chat.completion.chunk"
        assert event["id"] == first["id"]
        assert event["model"] == "gpt-4.1"
        assert event["usage"] is None


@pytest.mark.parametrize("options", [{}, {"stream_options": {}}, {"stream_options": {"include_usage": False}}])
async def test_a_stream_without_usage_never_mentions_it(world: World, options: dict[str, object]) -> None:
    answer = await world.client.chat(stream=True, **options)
    assert all("usage" not in event for event in answer.events)
    assert answer.events[-1]["choices"][0]["finish_reason"] == "stop"


async def test_tokens_are_sent_as_they_come(world: World) -> None:
    answer = await world.client.chat(stream=True)
    # The role goes with the first token, the reason with the last, then [DONE] and the end.
    assert len(answer.parts) == len("forty-two") + 2
    assert answer.parts[0].count(b"data: ") == 2


async def test_n_answers_share_a_prompt_that_is_billed_once(world: World) -> None:
    body = (await world.client.chat("hi", n=3, seed=7, model="deepseek-chat")).json
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in body["choices"]} == {"forty-two"}
    assert body["usage"]["prompt_tokens"] == 20
    assert body["usage"]["completion_tokens"] == 27
    assert body["usage"]["cached_tokens"] == 0
    assert body["usage"]["prompt_tokens_details"]["cache_write_tokens"] == 20
    # A seed for each, or all would be the same; an id for each, or the engine could not tell them apart.
    assert [request.sampling.seed for request in world.engine.requests] == [7, 8, 9]
    assert len({request.request_id for request in world.engine.requests}) == 3


async def test_n_answers_in_a_stream(world: World) -> None:
    answer = await world.client.chat(n=2, stream=True, stream_options={"include_usage": True})
    texts, reasons, roles = {0: "", 1: ""}, {}, []
    for event in answer.events[:-1]:
        (choice,) = event["choices"]
        texts[choice["index"]] += choice["delta"].get("content", "")
        if choice["finish_reason"]:
            reasons[choice["index"]] = choice["finish_reason"]
        if "role" in choice["delta"]:
            roles.append(choice["index"])
    assert texts == {0: "forty-two", 1: "forty-two"}
    assert reasons == {0: "stop", 1: "stop"}
    assert sorted(roles) == [0, 1]
    assert answer.events[-1]["usage"]["completion_tokens"] == 18


async def test_logprobs_carry_the_tokens_bytes(build: Build) -> None:
    world = build(FakeEngine(text="hé"))
    body = (await world.client.chat(logprobs=True, top_logprobs=2)).json
    content = body["choices"][0]["logprobs"]["content"]
    assert [token["bytes"] for token in content] == [[0x68], [0xC3], [0xA9]]
    # Half a character has no text of its own.
    assert [token["token"] for token in content] == ["h", "�", "�"]
    assert content[0]["logprob"] == -0.5
    assert content[0]["top_logprobs"] == [
        {"token": "h", "logprob": -0.5, "bytes": [0x68]},
        {"token": "i", "logprob": -1.5, "bytes": [0x69]},
    ]
    assert body["choices"][0]["logprobs"]["refusal"] is None
    plain = (await world.client.chat(logprobs=True)).json
    assert all(token["top_logprobs"] == [] for token in plain["choices"][0]["logprobs"]["content"])


async def test_logprobs_in_a_stream_come_with_their_text(world: World) -> None:
    answer = await world.client.chat(logprobs=True, top_logprobs=1, stream=True)
    choices = [event["choices"][0] for event in answer.events]
    for choice in choices[1:-1]:
        assert [token["token"] for token in choice["logprobs"]["content"]] == [choice["delta"]["content"]]
    assert choices[0]["logprobs"] is None
    assert choices[-1]["logprobs"] is None


async def test_every_sampling_parameter_reaches_the_engine(world: World) -> None:
    await world.client.chat(
        max_completion_tokens=5,
        temperature=0.3,
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        frequency_penalty=-1,
        presence_penalty=1.5,
        repetition_penalty=1.1,
        seed=-3,
        stop=["a", "b"],
        stop_token_ids=[3],
        ignore_eos=True,
        logprobs=True,
        top_logprobs=20,
        logit_bias={"5": -100, "256": 2.5},
    )
    sampling = world.engine.requests[0].sampling
    assert sampling.max_tokens == 5
    assert sampling.temperature == 0.3
    assert sampling.top_p == 0.9
    assert sampling.top_k == 40
    assert sampling.min_p == 0.05
    assert sampling.frequency_penalty == -1
    assert sampling.presence_penalty == 1.5
    assert sampling.repetition_penalty == 1.1
    assert sampling.seed == -3
    assert sampling.stop == ("a", "b")
    assert sampling.stop_token_ids == (3,)
    assert sampling.ignore_eos is True
    assert sampling.logprobs == 20
    assert sampling.logit_bias == {5: -100, 256: 2.5}


async def test_null_is_the_same_as_absent(world: World) -> None:
    names = [
        *("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "temperature", "top_p"),
        *("frequency_penalty", "presence_penalty", "seed", "stop", "logit_bias", "top_k", "min_p", "logprobs"),
        *("repetition_penalty", "ignore_eos", "stop_token_ids", "tools", "functions", "response_format"),
        *("top_logprobs", "modalities", "audio", "prompt_cache", "prefix_caching", "cache_control", "high_priority"),
        *("cache_ttl_seconds", "cache_salt", "prompt_cache_key", "session_id", "prompt_cache_retention"),
        *("prompt_cache_options", "user", "metadata"),
    ]
    assert (await world.client.chat(**dict.fromkeys(names))).status == 200
    assert (await world.client.chat()).status == 200
    one, two = world.engine.requests
    assert one.sampling == two.sampling
    assert one.cache == two.cache == CachePolicy()


async def test_no_max_tokens_is_the_servers_default_within_the_context(build: Build) -> None:
    world = build(FakeEngine(context=100))
    await world.client.chat("x" * 50)
    await world.client.chat("x")
    # 50 + 18 tokens of template leave 32 of 100; a short prompt leaves room for the default of 64.
    assert [request.sampling.max_tokens for request in world.engine.requests] == [32, 64]


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("plain", "user: plain\nassistant: "),
        ([{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}], "user: two parts\nassistant: "),
        ([], "user: \nassistant: "),
        ("", "user: \nassistant: "),
        ("naïve 😀", "user: naïve 😀\nassistant: "),
    ],
)
async def test_content_as_text_or_as_parts(world: World, content: object, prompt: str) -> None:
    assert (await world.client.chat(content)).status == 200
    assert text_of(world.engine.requests[0]) == prompt


async def test_roles(world: World) -> None:
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": "1+1", "name": "ann"},
        {"role": "assistant", "content": "call add(1, 1)", "tool_calls": [], "refusal": None},
        {"role": "tool", "content": "2", "tool_call_id": "call_1"},
    ]
    assert (await world.client.post("/v1/chat/completions", {"messages": messages})).status == 200
    # Models know OpenAI's `developer` as `system`, and those whose template knows no tools a result as the user's.
    assert text_of(world.engine.requests[0]) == (
        "system: be brief\nuser: 1+1\nassistant: call add(1, 1)\nuser: <tool_response>2</tool_response>\nassistant: "
    )


async def test_what_asks_for_nothing_special_is_no_obstacle(world: World) -> None:
    fields = {
        "tools": [],
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "parallel_tool_calls": True,
        "service_tier": "auto",
        "store": False,
        "nobody_knows_this": {"a": [1, 2]},
    }
    assert (await world.client.chat(**fields)).status == 200


async def test_any_content_type_will_do(world: World) -> None:
    for content_type in ("text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded"):
        body = b'{"messages": [{"role": "user", "content": "hi"}]}'
        assert (await world.client.post("/v1/chat/completions", body, content_type=content_type)).status == 200


async def test_a_body_in_many_pieces(world: World) -> None:
    body = b'{"messages": [{"role": "user", "content": "hi"}]}'
    assert (await world.client.call("POST", "/v1/chat/completions", body, chunk=1)).status == 200
    assert (await world.client.call("POST", "/v1/chat/completions/", body)).status == 200


async def test_an_unknown_price_is_null_and_never_nothing(build: Build) -> None:
    from radixa.core.config import ModelEntry, Prices

    later = Prices(input=1.0, cached_input=0.1, output=2.0, since="2999-01-01")
    half = ModelEntry("half", "openai", prices=(Prices(input=1.0, since="2020-01-01"),))
    world = build(models=(ModelEntry("unpriced", "openai"), ModelEntry("later", "openai", prices=(later,)), half))
    for name in ("unpriced", "later", "half"):
        usage = (await world.client.chat(model=name)).json["usage"]["radixa"]
        assert usage["cost_usd"] is None
        assert usage["saved_usd"] is None
