"""Embeddings that this server computes itself: the real model, by OpenAI's own SDK."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from radixa.core.config import ModelEntry, Prices
from radixa.gateway.catalogue import shipped
from radixa.providers.wordllama import files as package
from radixa.providers.wordllama import provider
from radixa.providers.wordllama.base import DIMENSIONS, MODEL, MOST_TOKENS
from radixa.store.ledger.base import Query
from tests.gateway.conftest import Build, World
from tests.upstreams.base import until

ALIAS = ModelEntry("vectors", "wordllama", MODEL, (Prices(input=0.0, output=0.0),), rpm=2)
LYING = ModelEntry("text-embedding-3-small", "wordllama")


@pytest.fixture
def world(build: Build) -> World:
    return build(models=(ALIAS, LYING), max_body_bytes=4_000_000)


@pytest.fixture
async def sdk(world: World) -> AsyncIterator[AsyncOpenAI]:
    transport = httpx2.ASGITransport(world.app)
    async with (
        httpx2.AsyncClient(transport=transport, verify=False) as http,
        AsyncOpenAI(base_url="http://radixa/v1", api_key=world.client.key, http_client=http, max_retries=0) as found,
    ):
        yield found


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


async def test_what_is_near_in_meaning_is_near(sdk: AsyncOpenAI) -> None:
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose in March."]
    found = await sdk.embeddings.create(model=MODEL, input=texts)
    assert (found.object, found.model) == ("list", MODEL)
    assert [(row.object, row.index, len(row.embedding)) for row in found.data] == [
        ("embedding", index, DIMENSIONS) for index in range(3)
    ]
    cat, kitten, rates = (row.embedding for row in found.data)
    assert math.hypot(*cat) == pytest.approx(1, abs=1e-6)
    assert cosine(cat, kitten) > 0.4 > 0.2 > cosine(cat, rates)


async def test_usage_price_and_ledger(world: World, sdk: AsyncOpenAI) -> None:
    answer = await sdk.embeddings.with_raw_response.create(model="vectors", input="one two three")
    assert answer.headers["x-radixa-served-by"] == MODEL
    assert '"cost_usd":0' in answer.text
    usage: Any = answer.parse().usage
    assert (usage.prompt_tokens, usage.total_tokens, usage.cached_tokens) == (3, 3, 0)
    assert (usage.radixa["cost_usd"], usage.radixa["saved_usd"]) == (0, 0)
    assert "estimated" not in usage.radixa

    def rows() -> list[Any]:
        return world.gateway.ledger.store.rows(Query(account_id=world.account.id), limit=10)

    await until(lambda: bool(rows()))
    (row,) = rows()
    assert (row.api, row.model, row.served_by, row.provider) == ("embeddings", "vectors", MODEL, "wordllama")
    assert (row.prompt_tokens, row.completion_tokens, row.cost_nano_usd, row.status) == (3, 0, 0, 200)
    # It is no upstream, of which these would tell.
    assert b'provider="wordllama"' not in (await world.client.get("/metrics")).body
    await sdk.embeddings.create(model="vectors", input="one")
    with pytest.raises(openai.RateLimitError):
        await sdk.embeddings.create(model="vectors", input="one")


async def test_both_formats_are_the_same_vector(world: World, sdk: AsyncOpenAI) -> None:
    """The SDK asks for base64 unless it is told otherwise."""
    packed = await sdk.embeddings.create(model=MODEL, input="a text")
    numbers = await sdk.embeddings.create(model=MODEL, input="a text", encoding_format="float")
    assert packed.data[0].embedding == numbers.data[0].embedding
    answer = await world.client.post("/v1/embeddings", {"model": MODEL, "input": "a text"})
    assert isinstance(answer.json["data"][0]["embedding"], list)


async def test_fewer_dimensions_are_the_first_ones_at_length_one(sdk: AsyncOpenAI) -> None:
    whole = (await sdk.embeddings.create(model=MODEL, input="a text")).data[0].embedding
    for dimensions in (1, 64, 128, 256):
        found = (await sdk.embeddings.create(model=MODEL, input="a text", dimensions=dimensions)).data[0].embedding
        length = math.hypot(*whole[:dimensions])
        assert found == pytest.approx([value / length for value in whole[:dimensions]], abs=1e-6)


async def test_many_inputs_are_as_each_alone_and_in_order(sdk: AsyncOpenAI) -> None:
    texts = [f"{number} bottles" for number in range(2 * provider.SLICE_TEXTS + 1)]
    found = await sdk.embeddings.create(model=MODEL, input=texts)
    assert [row.index for row in found.data] == list(range(len(texts)))
    for index in (0, provider.SLICE_TEXTS, len(texts) - 1):
        alone = await sdk.embeddings.create(model=MODEL, input=texts[index])
        assert alone.data[0].embedding == found.data[index].embedding


async def test_it_is_wordllamas_own_vector(sdk: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's code over the same files."""
    # Its import would set up logging for all tests.
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    found = package.files()
    assert found is not None
    theirs = WordLlamaInference(
        load_file(found.weights)["embedding.weight"], Tokenizer.from_file(str(found.tokenizer))
    ).embed(["Naïve café, 東京 </s>", "b"], norm=True)
    ours = await sdk.embeddings.create(model=MODEL, input=["Naïve café, 東京 </s>", "b"])
    for row, vector in zip(ours.data, theirs.tolist(), strict=True):
        assert row.embedding == pytest.approx(vector, abs=1e-6)


async def test_what_it_cannot(world: World) -> None:
    cases: list[tuple[dict[str, Any], str, str, str]] = [
        ({"input": [1, 2]}, "input", "unsupported_parameter", "embeds texts, not token ids"),
        ({"input": [[1, 2], [3]]}, "input", "unsupported_parameter", "embeds texts, not token ids"),
        ({"dimensions": 257}, "dimensions", "integer_above_max_value", "<= 256, but got 257"),
        ({"input": ["a", "one two " * MOST_TOKENS]}, "input[1]", "context_length_exceeded", "resulted in 16385 tokens"),
        ({"input": "x" * 1_000_000}, "input", "context_length_exceeded", "at least"),
    ]
    for fields, param, code, said in cases:
        answer = await world.client.post("/v1/embeddings", {"model": MODEL, "input": "a"} | fields)
        assert (answer.status, answer.error["param"], answer.error["code"]) == (400, param, code)
        assert said in answer.error["message"]


async def test_too_much_together(sdk: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MOST_TOKENS_IN_ALL", 100)
    await sdk.embeddings.create(model=MODEL, input=["a"] * 50)
    with pytest.raises(openai.BadRequestError, match="at most 100 in one request; the first 64 inputs have 128") as no:
        await sdk.embeddings.create(model=MODEL, input=["a b"] * 200)
    assert (no.value.param, no.value.code) == ("input", "max_tokens_per_request")


async def test_it_answers_nothing_else(world: World, sdk: AsyncOpenAI) -> None:
    said: Any = [{"role": "user", "content": "hello"}]
    with pytest.raises(openai.BadRequestError, match="embeds texts and answers nothing"):
        await sdk.chat.completions.create(model=MODEL, messages=said)
    counted = await world.client.post(
        "/v1/messages/count_tokens", {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    )
    assert counted.status == 400


async def test_nothing_else_is_answered_under_another_models_name(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=f"none called '{LYING.id}'"):
        await sdk.embeddings.create(model=LYING.id, input="a")


async def test_a_client_that_leaves_ends_the_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it is not begun."""
    begun = []
    embed = provider.WordLlamaProvider._embed
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watched(self: provider.WordLlamaProvider, texts: list[str], at: int, *rest: Any) -> Any:
        begun.append(at)
        loop.call_soon_threadsafe(leave.set)
        return embed(self, texts, at, *rest)

    monkeypatch.setattr(provider.WordLlamaProvider, "_embed", watched)
    texts = ["a text of some words " * 1000] * 50
    raw = httpx2.Request("POST", "http://radixa", json={"model": MODEL, "input": texts}).content
    await asyncio.gather(world.client.call("POST", "/v1/embeddings", raw, leave=leave), return_exceptions=True)
    assert len(begun) < len(texts) / 4


async def test_without_the_package(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    world = build(sandbox=True)
    assert MODEL not in [model["id"] for model in (await world.client.get("/v1/models")).json["data"]]
    answer = await world.client.post("/v1/embeddings", {"model": MODEL, "input": "a"})
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert answer.error["message"] == (
        f"The model `{MODEL}` is not offered: no package for {MODEL}: pip install 'radixa[embeddings]'."
    )


def test_the_catalogue_says_what_holds() -> None:
    (entry,) = (entry for entry in shipped() if entry.id == MODEL)
    assert (entry.provider, entry.context) == ("wordllama", MOST_TOKENS)
