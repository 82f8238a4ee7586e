"""OpenAI's own SDK against a real server with the real model."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.gateway.live import KEY, Live

CAPITAL: Any = [{"role": "user", "content": "What is the capital of France?"}]
GREEDY: Any = {"temperature": 0, "max_tokens": 12}


@pytest.fixture(scope="module")
def client(server: Live) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as found:
        yield found


def idle(raw: httpx2.Client) -> dict[str, Any]:
    """The cache's figures once nothing runs any more: slots are conserved, none is leased (law 2)."""
    until = time.monotonic() + 20
    while True:
        device: dict[str, Any] = raw.get("/v1/cache").json()["tiers"]["device"]
        if device["leased"] == 0:
            assert device["free"] + device["tree"] == device["capacity"]
            assert device["tree"] == device["evictable"]
            return device
        assert time.monotonic() < until, device
        time.sleep(0.02)


def checked(usage: Any) -> Any:
    """Usage whose counts add up (law 5)."""
    details = usage.prompt_tokens_details
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.cached_tokens == details.cached_tokens >= 0
    assert details.cache_write_tokens >= 0
    assert details.cached_tokens + details.cache_write_tokens <= usage.prompt_tokens
    assert usage.radixa["tiers"] == {"device": details.cached_tokens, "host": 0, "disk": 0}
    return usage


def test_models(client: OpenAI) -> None:
    models = list(client.models.list())
    assert models[0].id == "smollm2"
    assert {"gpt-4.1", "gpt-4.1-mini", "deepseek-chat", "deepseek-reasoner"} < {model.id for model in models}
    assert client.models.retrieve("deepseek-chat").to_dict()["radixa"]["served_by"] == "smollm2"


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.chat.completions.with_raw_response.create(model="deepseek-chat", messages=CAPITAL, **GREEDY)
    parsed = answer.parse()
    assert parsed.choices[0].message.content == "The capital of France is Paris."
    assert parsed.choices[0].finish_reason == "stop"
    assert parsed.model == "deepseek-chat"
    assert parsed._request_id == answer.headers["x-request-id"]
    assert answer.headers["x-radixa-served-by"] == "smollm2"
    usage = checked(parsed.usage)
    assert usage.completion_tokens == 8
    plain = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens
    paid = (plain + 8) * 0.42e-6 + usage.prompt_tokens_details.cached_tokens * 0.042e-6
    assert usage.radixa["cost_usd"] == pytest.approx(paid, rel=1e-9)


def test_a_stream_is_the_same_answer_and_the_same_bill(client: OpenAI) -> None:
    asked: Any = {"model": "gpt-4.1", "messages": CAPITAL, "extra_body": {"cache_control": "no-cache"}, **GREEDY}
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    one, two = checked(whole.usage).to_dict(), checked(chunks[-1].usage).to_dict()
    del one["radixa"]["ttft_ms"], two["radixa"]["ttft_ms"]
    assert one == two


def test_a_second_request_hits_and_changes_no_word(client: OpenAI) -> None:
    story: Any = [{"role": "system", "content": "You tell short stories. " * 20}, {"role": "user", "content": "Begin."}]
    first = client.chat.completions.create(model="deepseek-chat", messages=story, **GREEDY)
    second = client.chat.completions.create(model="deepseek-chat", messages=story, **GREEDY)
    assert second.choices[0].message.content == first.choices[0].message.content
    usage = checked(second.usage)
    assert usage.prompt_tokens_details.cached_tokens == usage.prompt_tokens - 1
    assert usage.radixa["saved_usd"] > 0
    off = client.chat.completions.create(
        model="deepseek-chat", messages=story, extra_body={"prompt_cache": False}, **GREEDY
    )
    assert off.choices[0].message.content == first.choices[0].message.content
    assert checked(off.usage).prompt_tokens_details.cached_tokens == 0
    assert off.usage is not None
    assert off.usage.to_dict()["radixa"]["saved_usd"] == 0  # type: ignore[index]


def test_two_answers(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="smollm2", messages=CAPITAL, n=2, seed=3, max_tokens=6)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert checked(answer.usage).completion_tokens <= 12
    again = client.chat.completions.create(model="smollm2", messages=CAPITAL, n=2, seed=3, max_tokens=6)
    assert [c.message.content for c in again.choices] == [c.message.content for c in answer.choices]


@pytest.mark.parametrize("stop", [" France", ["Berlin", " France"]])
def test_stop_strings_are_left_out(client: OpenAI, stop: Any) -> None:
    answer = client.chat.completions.create(model="smollm2", messages=CAPITAL, stop=stop, **GREEDY)
    assert answer.choices[0].message.content == "The capital of"
    assert answer.choices[0].finish_reason == "stop"
    chunks = list(client.chat.completions.create(model="smollm2", messages=CAPITAL, stop=stop, stream=True, **GREEDY))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "The capital of"


def test_the_limit_of_tokens(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="smollm2", messages=CAPITAL, temperature=0, max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content == "The capital of"
    assert checked(answer.usage).completion_tokens == 3


def test_logprobs(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="smollm2", messages=CAPITAL, logprobs=True, top_logprobs=3, temperature=0, max_tokens=3
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [token.token for token in logprobs.content] == ["The", " capital", " of"]
    for token in logprobs.content:
        assert bytes(token.bytes or []).decode() == token.token
        assert len(token.top_logprobs) == 3
        # Greedy takes the likeliest.
        assert token.top_logprobs[0].logprob == token.logprob == max(top.logprob for top in token.top_logprobs)
        assert token.logprob <= 0


def test_text_completions(client: OpenAI) -> None:
    prompts = ["The capital of France is", "One two three four"]
    answer = client.completions.create(model="smollm2", prompt=prompts, logprobs=2, temperature=0, max_tokens=4)
    assert "Paris" in answer.choices[0].text
    assert [choice.index for choice in answer.choices] == [0, 1]
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert "".join(logprobs.tokens) == answer.choices[0].text
    chunks = list(
        client.completions.create(model="smollm2", prompt=prompts[0], temperature=0, max_tokens=4, stream=True)
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == answer.choices[0].text


def test_tokens_and_back(raw: httpx2.Client) -> None:
    text = "naïve café 😀 <|im_end|>"
    tokens = raw.post("/v1/tokenize", json={"prompt": text}).json()
    assert tokens["count"] == len(tokens["tokens"])
    assert tokens["max_model_len"] == 8192
    assert raw.post("/v1/detokenize", json={"tokens": tokens["tokens"]}).json()["text"] == text


def test_every_refusal_and_a_stream_that_does_not_notice(client: OpenAI, raw: httpx2.Client) -> None:
    undisturbed = client.chat.completions.create(
        model="smollm2", messages=CAPITAL, temperature=0, max_tokens=60, extra_body={"ignore_eos": True}
    )
    stream = client.chat.completions.create(
        model="smollm2", messages=CAPITAL, temperature=0, max_tokens=60, stream=True, extra_body={"ignore_eos": True}
    )
    first = next(stream)

    def refused(kind: type[openai.APIStatusError], status: int, code: str | None, **fields: Any) -> Any:
        with pytest.raises(kind) as caught:
            client.chat.completions.create(**{"model": "smollm2", "messages": CAPITAL, "max_tokens": 1, **fields})
        assert caught.value.status_code == status
        assert caught.value.code == code
        assert caught.value.request_id
        return caught.value

    assert refused(openai.BadRequestError, 400, "integer_below_min_value", max_tokens=-1).param == "max_tokens"
    assert refused(openai.BadRequestError, 400, "invalid_type", temperature="hot").param == "temperature"
    assert refused(openai.BadRequestError, 400, "invalid_type", messages="hello").param == "messages"
    assert refused(openai.BadRequestError, 400, "unsupported_parameter", modalities=["audio"]).param == "modalities"
    assert "`gpt-17` does not exist" in str(refused(openai.NotFoundError, 404, "model_not_found", model="gpt-17"))
    long = refused(
        openai.BadRequestError,
        400,
        "context_length_exceeded",
        messages=[{"role": "user", "content": "word " * 20_000}],
    )
    assert long.param == "messages"
    assert "8192 tokens" in str(long)
    assert "20" in str(long).split("resulted in ")[1]
    with OpenAI(base_url=f"{client.base_url}", api_key="rx-wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            stranger.models.list()
        assert caught.value.code == "invalid_api_key"
    broken = raw.post("/v1/chat/completions", content=b'{"messages": [')
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")
    huge = raw.post("/v1/chat/completions", content=b" " * (17 * 1024 * 1024))
    assert huge.status_code == 413
    assert "16777216 bytes" in huge.json()["error"]["message"]

    rest = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert (first.choices[0].delta.content or "") + "".join(rest) == undisturbed.choices[0].message.content
    idle(raw)


async def test_two_hundred_requests_at_once(server: Live, raw: httpx2.Client) -> None:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, timeout=100) as client:

        async def ask(number: int) -> tuple[str, Any]:
            messages: Any = [{"role": "user", "content": f"What is {number % 10}?"}]
            if number % 2:
                chunks = await client.chat.completions.create(
                    model="smollm2",
                    messages=messages,
                    temperature=0,
                    max_tokens=2,
                    stream=True,
                    stream_options={"include_usage": True},
                )
                found = [chunk async for chunk in chunks]
                return "".join(c.choices[0].delta.content or "" for c in found if c.choices), found[-1].usage
            answer = await client.chat.completions.create(
                model="smollm2", messages=messages, temperature=0, max_tokens=2
            )
            return answer.choices[0].message.content or "", answer.usage

        found = await asyncio.gather(*(ask(number) for number in range(200)))
    for number, (text, usage) in enumerate(found):
        assert checked(usage).completion_tokens == 2
        assert text == found[number % 10][0]
    # Ten prompts, two hundred requests: nearly all of it is reuse.
    prompt = sum(usage.prompt_tokens for _, usage in found)
    assert sum(usage.cached_tokens for _, usage in found) > 0.8 * prompt
    idle(raw)


def test_requests_cut_off_half_way(client: OpenAI, raw: httpx2.Client) -> None:
    def counted(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (.+)$", raw.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def left(route: str) -> float:
        return counted(f'radixa_requests_total{{route="{route}",status="499"}}')

    before = left("/v1/chat/completions"), left("/v1/completions")
    generated_before = counted("radixa_engine_generated_tokens_total")
    begun = [
        client.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": f"Tell me story number {number}."}],
            max_tokens=2000,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        for number in range(4)
    ]
    for stream in begun:
        next(stream)
        next(stream)
        stream.close()
    # A client that stops waiting for a whole answer leaves as well.
    with pytest.raises(httpx2.ReadTimeout):
        raw.post(
            "/v1/completions",
            json={"prompt": "Count: 1 2 3", "max_tokens": 4000, "ignore_eos": True},
            timeout=0.5,
        )
    idle(raw)
    generated = counted("radixa_engine_generated_tokens_total")
    assert generated - generated_before < 6000  # Not the 12,000 that were asked for.
    assert left("/v1/chat/completions") > before[0]
    assert left("/v1/completions") == before[1] + 1


def test_accounts_do_not_meet(client: OpenAI, raw: httpx2.Client, server: Live) -> None:
    secret: Any = [{"role": "user", "content": "The launch code is 7-4-1-9. Repeat nothing."}]
    mine = client.chat.completions.create(model="smollm2", messages=secret, **GREEDY)
    made = raw.post("/v1/keys", json={"account": "acme"}).json()
    with OpenAI(base_url=f"{server.url}/v1", api_key=made["key"], max_retries=0) as other:
        theirs = other.chat.completions.create(model="smollm2", messages=secret, **GREEDY)
        assert checked(theirs.usage).prompt_tokens_details.cached_tokens == 0
        assert theirs.choices[0].message.content == mine.choices[0].message.content
        headers = {"authorization": f"Bearer {made['key']}"}
        seen = raw.get("/v1/cache/tree", headers=headers).json()["data"]
        assert {node["namespace"] for node in seen} == {made["account_id"]}
        assert "launch code" in "".join(node["text"] for node in seen)
        dropped = raw.delete("/v1/cache", headers=headers).json()["dropped_tokens"]
        assert dropped == sum(node["tokens"] for node in seen)
    assert raw.delete(f"/v1/keys/{made['id']}").status_code == 200
    assert raw.get("/v1/models", headers=headers).status_code == 401
    everyone = raw.get("/v1/cache").json()["namespaces"]
    assert made["account_id"] not in everyone
    assert everyone


def test_the_gateways_process_holds_no_torch(server: Live) -> None:
    with open(f"/proc/{server.process.pid}/maps") as maps:
        assert "libtorch" not in maps.read()


def test_many_threads_of_one_client(client: OpenAI) -> None:
    def ask(number: int) -> str | None:
        answer = client.chat.completions.create(model="smollm2", messages=CAPITAL, **GREEDY)
        return answer.choices[0].message.content

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(16))) == {"The capital of France is Paris."}
