"""Embeddings through the gateway: Gemini's behind OpenAI's API, over HTTP."""

from __future__ import annotations

import asyncio
import base64
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from radixa.core.config import Config, EngineConfig, ModelEntry, Prices, ProviderConfig
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.providers.registry import upstreams
from radixa.store.base import KeyTerms
from radixa.store.first import ensure_first_account
from radixa.store.ledger.base import Query
from radixa.store.sql import SqlStore
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Client, FakeEngine
from tests.upstreams.base import Fault, until
from tests.upstreams.gemini import KEY, GeminiStandIn

MODELS = (
    ModelEntry("vectors", "gemini", "gemini-embedding-001", (Prices(input=0.15, output=0.0),)),
    ModelEntry("unpriced", "gemini", "gemini-embedding-001"),
    ModelEntry("few", "gemini", "gemini-embedding-001", rpm=1),
)


@pytest.fixture
def upstream() -> GeminiStandIn:
    return GeminiStandIn()


@pytest.fixture
async def world(store: SqlStore, upstream: GeminiStandIn, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway without an engine of its own, before the stand-in."""
    async with upstream.running() as url:
        config = Config(
            engine=EngineConfig(enabled=False),
            models=MODELS,
            providers={"gemini": ProviderConfig("gemini", f"{url}/v1beta", retries=0)},
        )
        account = ensure_first_account(store)
        _, secret = store.create_key(account.id, "first", admin=True)
        found = upstreams(config.providers, {"GEMINI_API_KEY": KEY})
        gateway = Gateway(config, store, KeyRing(store), tmp_path, found)
        await gateway.start()
        app = App(gateway)
        yield World(gateway, app, FakeEngine(), store, account, Client(app, secret))
        await gateway.close()


async def rows(world: World, count: int) -> list[Any]:
    """The ledger's rows, once they are there."""

    def found() -> list[Any]:
        return world.gateway.ledger.store.rows(Query(account_id=world.account.id), limit=10)

    await until(lambda: len(found()) == count)
    return found()


async def test_vectors_and_their_price(world: World, upstream: GeminiStandIn) -> None:
    answer = await world.client.post("/v1/embeddings", {"model": "vectors", "input": ["one", "three"]})
    assert answer.status == 200, answer.error
    body = answer.json
    assert [row["embedding"] for row in body["data"]] == [[3, 3.25, 3.5], [5, 5.25, 5.5]]
    assert (body["object"], body["model"]) == ("list", "gemini-embedding-001")
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"], usage["cached_tokens"]) == (3, 3, 0)
    assert '"cost_usd":0.00000045' in answer.body.decode()
    assert usage["radixa"]["saved_usd"] == 0
    assert answer.headers["x-radixa-served-by"] == "gemini-embedding-001"
    (row,) = await rows(world, 1)
    assert (row.api, row.model, row.served_by, row.provider) == (
        "embeddings",
        "vectors",
        "gemini-embedding-001",
        "gemini",
    )
    assert (row.prompt_tokens, row.completion_tokens, row.cost_nano_usd, row.status) == (3, 0, 450, 200)
    assert row.request_id == answer.headers["x-request-id"]


async def test_packed_vectors_as_openais_sdk_asks_for_them(world: World) -> None:
    body = {"model": "vectors", "input": "one", "encoding_format": "base64", "dimensions": 2, "user": "me"}
    answer = await world.client.post("/v1/embeddings", body)
    packed = array("f", base64.b64decode(answer.json["data"][0]["embedding"]))
    assert packed.tolist() == [3.0, 3.25]


async def test_what_nobody_counted_or_priced(world: World, upstream: GeminiStandIn) -> None:
    upstream.usage_at = "none"
    answer = await world.client.post("/v1/embeddings", {"model": "unpriced", "input": "one two"})
    usage = answer.json["usage"]
    assert usage["prompt_tokens"] == 2
    assert usage["radixa"]["estimated"] is True
    assert usage["radixa"]["cost_usd"] is None
    (row,) = await rows(world, 1)
    assert (row.estimated, row.cost_nano_usd) == (True, None)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"model": "vectors"}, "input", "missing_required_parameter"),
        ({"model": "vectors", "input": ""}, "input", "empty_string"),
        ({"model": "vectors", "input": []}, "input", "empty_array"),
        ({"model": "vectors", "input": ["a", ""]}, "input[1]", "empty_string"),
        ({"model": "vectors", "input": {"text": "a"}}, "input", "invalid_type"),
        ({"model": "vectors", "input": ["a", 1]}, "input", "invalid_type"),
        ({"model": "vectors", "input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"model": "vectors", "input": [1, 2]}, "input", "unsupported_parameter"),
        ({"model": "vectors", "input": "a", "dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"model": "vectors", "input": "a", "encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"input": "a"}, "model", "missing_required_parameter"),
    ],
)
async def test_bad_bodies(world: World, upstream: GeminiStandIn, body: dict[str, Any], param: str, code: str) -> None:
    answer = await world.client.post("/v1/embeddings", body)
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, param, code)
    assert upstream.requests == []


async def test_names_that_are_not_offered(world: World) -> None:
    nobody = await world.client.post("/v1/embeddings", {"model": "x", "input": "a"})
    assert (nobody.status, nobody.error["code"]) == (404, "model_not_found")
    keyless = await world.client.post("/v1/embeddings", {"model": "gpt-4.1", "input": "a"})
    assert keyless.status == 404
    assert "no key for gpt-4.1: set OPENAI_API_KEY, or start with --sandbox" in keyless.error["message"]


async def test_a_key_with_a_list_of_models(world: World) -> None:
    _, secret = world.store.create_key(world.account.id, "narrow", terms=KeyTerms(models=("unpriced",)))
    narrow = world.client.using(secret)
    assert (await narrow.post("/v1/embeddings", {"model": "vectors", "input": "a"})).status == 404
    assert (await narrow.post("/v1/embeddings", {"model": "unpriced", "input": "a"})).status == 200
    assert [model["id"] for model in (await narrow.get("/v1/models")).json["data"]] == ["unpriced"]
    assert (await narrow.get("/v1/models/unpriced")).status == 200
    assert (await narrow.get("/v1/models/vectors")).status == 404


async def test_a_failure_costs_nothing(world: World, upstream: GeminiStandIn) -> None:
    upstream.faults = [Fault("status", status=503), Fault("status", status=400)]
    statuses = [(await world.client.post("/v1/embeddings", {"model": "few", "input": "a"})).status for _ in range(3)]
    # What was refused gave its place under the limit back.
    assert statuses == [503, 400, 200]
    assert (await world.client.post("/v1/embeddings", {"model": "few", "input": "a"})).status == 429
    assert [row.status for row in await rows(world, 1)] == [200]


async def test_a_client_that_leaves_ends_the_call(world: World, upstream: GeminiStandIn) -> None:
    upstream.faults = [Fault("stall")]
    leave = asyncio.Event()
    body = b'{"model": "few", "input": "a"}'
    call = asyncio.create_task(world.client.call("POST", "/v1/embeddings", body, leave=leave))
    await until(lambda: bool(upstream.requests))
    leave.set()
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: upstream.left == 1)
    assert upstream.completed == 0
    # It came, and whoever leaves has asked.
    assert (await world.client.post("/v1/embeddings", {"model": "few", "input": "a"})).status == 429


@pytest.mark.parametrize("named", [{}, {"model": "fake-model"}, {"model": "gpt-4.1"}])
async def test_the_embedded_engine_embeds_nothing(build: Build, named: dict[str, str]) -> None:
    answer = await build().client.post("/v1/embeddings", {"input": "a"} | named)
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, "model", "unsupported_parameter")
    assert "embeds nothing" in answer.error["message"]
