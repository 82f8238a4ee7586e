"""`/health`, `/ready`, `/metrics`, `/v1/models`; before there is an engine, and while it is away."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from radixa.core.config import Config, ModelEntry, Prices
from radixa.core.errors import ConfigError, ModelNotFound
from radixa.core.money import TokenPrices
from radixa.engine.base import EngineStats
from radixa.gateway.auth import KeyRing
from radixa.gateway.catalogue import Catalogue, Missing, entries_with, offers, shipped
from radixa.gateway.state import Gateway
from radixa.kv.tiers.base import TierStats
from radixa.providers.local.provider import LocalProvider
from radixa.providers.wordllama.base import MODEL as VECTORS
from radixa.providers.wordllama.base import MOST_TOKENS
from radixa.store.sql import SqlStore
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import ByteTokenizer, FakeEngine, PlainTemplate


async def test_before_there_is_an_engine(build: Build) -> None:
    world = build(attach=False)
    assert (await world.client.get("/health")).status == 200
    ready = await world.client.get("/ready")
    assert ready.status == 503
    assert ready.json["status"] == "starting"
    assert "still being loaded" in ready.json["reason"]
    for answer in (
        await world.client.chat(),
        await world.client.get("/v1/models"),
        await world.client.get("/v1/cache"),
    ):
        assert answer.status == 503
        assert answer.error["type"] == "service_unavailable_error"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["retry-after-ms"] == "1000"
    assert "radixa_engine_up 0.0" in (await world.client.get("/metrics")).body.decode()
    world.gateway.attach(LocalProvider("late", FakeEngine(), ByteTokenizer(), PlainTemplate()))
    ready = await world.client.get("/ready")
    assert (ready.status, ready.json) == (200, {"status": "ready", "model": "late"})
    assert (await world.client.chat()).status == 200


async def test_while_the_engine_is_started_again(world: World) -> None:
    world.engine.ready = False
    ready = await world.client.get("/ready")
    assert ready.status == 503
    assert "being started again" in ready.json["reason"]
    answer = await world.client.chat()
    assert answer.status == 503
    assert answer.error["code"] == "engine_unavailable"
    # The catalogue is known without it.
    assert (await world.client.get("/v1/models")).status == 200
    assert "radixa_engine_up 0.0" in (await world.client.get("/metrics")).body.decode()
    world.engine.ready = True
    assert (await world.client.get("/ready")).status == 200


def figures(text: str) -> dict[str, float]:
    """Every sample by its name and labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


async def test_metrics_count_and_name_nobody(world: World) -> None:
    account, client = world.account_client("a-secret-name")
    await client.chat("same", model="gpt-4.1")
    await client.chat("same", model="gpt-4.1", stream=True)
    await client.chat(n="x")
    await client.get("/v1/models/gpt-4.1")
    text = (await world.client.get("/metrics")).body.decode()
    found = figures(text)
    assert found["radixa_requests_total{route=/v1/chat/completions,status=200}"] == 2
    assert found["radixa_requests_total{route=/v1/chat/completions,status=400}"] == 1
    assert found["radixa_requests_total{route=/v1/models/{id},status=200}"] == 1
    assert found["radixa_prompt_tokens_total{model=gpt-4.1}"] == 2 * 22
    assert found["radixa_cached_tokens_total{model=gpt-4.1}"] == 21
    assert found["radixa_cache_write_tokens_total{model=gpt-4.1}"] == 22
    assert found["radixa_completion_tokens_total{model=gpt-4.1}"] == 18
    assert found["radixa_time_to_first_token_seconds_count{model=gpt-4.1}"] == 2
    assert found["radixa_request_seconds_count{route=/v1/chat/completions}"] == 3
    assert found["radixa_engine_up{}"] == 1
    assert found["radixa_engine_capacity{}"] == 100_000
    assert found["radixa_engine_evicted_tokens_total{}"] == 0
    assert account.id not in text
    assert "a-secret-name" not in text


async def test_the_engines_figures_also_under_vllms_names(world: World) -> None:
    dropped = {"truncated": 1, "corrupt": 2}
    disk = TierStats(enabled=True, bytes=7000, written_bytes=9000, load_seconds=0.5, evicted_blocks=4, dropped=dropped)
    stats = EngineStats(
        running=2,
        waiting=3,
        capacity=1000,
        tree=600,
        leased=50,
        evictable=400,
        prompt_tokens=900,
        cached_tokens=700,
        host_tokens=20,
        disk_tokens=100,
        generated_tokens=80,
        evicted_tokens=60,
        wanted_tokens=40,
        retained=30,
        host=TierStats(enabled=True, bytes=3000, loaded_bytes=2000),
        disk=disk,
    )

    async def told() -> EngineStats:
        return stats

    world.engine.stats = told  # type: ignore[method-assign]
    found = figures((await world.client.get("/metrics")).body.decode())
    assert {name: value for name, value in found.items() if name.startswith("vllm:")} == {
        "vllm:num_requests_running{model_name=fake-model}": 2,
        "vllm:num_requests_waiting{model_name=fake-model}": 3,
        # What running requests hold: their own slots, and what is locked for them in the tree.
        "vllm:kv_cache_usage_perc{model_name=fake-model}": 0.25,
        "vllm:prefix_cache_queries_total{model_name=fake-model}": 900,
        "vllm:prefix_cache_hits_total{model_name=fake-model}": 700,
        "vllm:prompt_tokens_total{model_name=fake-model}": 900,
        "vllm:generation_tokens_total{model_name=fake-model}": 80,
    }
    tiers = {
        tier: found[f"radixa_engine_tier_cached_tokens_total{{tier={tier}}}"] for tier in ("device", "host", "disk")
    }
    assert tiers == {"device": 580, "host": 20, "disk": 100}
    assert found["radixa_engine_removed_tokens_total{reason=capacity}"] == 60
    assert found["radixa_engine_wanted_tokens_total{}"] == 40
    assert found["radixa_engine_retained{}"] == 30
    assert found["radixa_host_bytes{}"] == 3000
    assert found["radixa_host_loaded_bytes_total{}"] == 2000
    assert found["radixa_disk_bytes{}"] == 7000
    assert found["radixa_disk_written_bytes_total{}"] == 9000
    assert found["radixa_disk_load_seconds_total{}"] == 0.5
    assert found["radixa_disk_evicted_blocks_total{}"] == 4
    assert found["radixa_disk_dropped_blocks_total{reason=corrupt}"] == 2


async def test_hits_are_counters_that_only_grow(world: World) -> None:
    seen = []
    for text in ("same", "same", "other", "same"):
        await world.client.chat(text)
        found = figures((await world.client.get("/metrics")).body.decode())
        seen.append(found["vllm:prefix_cache_hits_total{model_name=fake-model}"])
    assert seen == sorted(seen)
    assert seen[1] - seen[0] == seen[3] - seen[2] == 21


async def test_models_with_their_prices(world: World) -> None:
    body = (await world.client.get("/v1/models")).json
    assert body["object"] == "list"
    own, *others, vectors = body["data"]
    assert own == {
        "id": "fake-model",
        "object": "model",
        "created": world.gateway.started,
        "owned_by": "radixa",
        "radixa": {
            "provider": "radixa",
            "served_by": "fake-model",
            "prices_usd_per_mtok": {"input": 0, "cached_input": 0, "cache_write": 0, "output": 0},
            "limits": {"rpm": None, "tpm": None},
            "context": 1000,
            "shutdown_date": None,
            "retires": None,
            "retired": False,
            "successor": None,
        },
    }
    table = [
        # name, provider, input = output = cache write, cached, requests and tokens a minute, shutdown
        ("gpt-4.1", "openai", 8.00, 2.00, 500, 150_000, "2027-01-14"),
        ("gpt-4.1-mini", "openai", 2.00, 0.50, 500, 150_000, "2027-01-14"),
        ("deepseek-chat", "deepseek", 0.42, 0.042, 60, 6_000, "2026-07-24"),
        ("deepseek-reasoner", "deepseek", 0.42, 0.042, 60, 6_000, "2026-07-24"),
        ("claude-3-5-sonnet", "anthropic", 15.00, 1.50, None, None, "2025-10-22"),
        ("gemini-2.0-flash", "gemini", 2.50, 0.25, None, None, "2026-06-01"),
    ]
    *others, claude, gemini = others
    assert [model["id"] for model in others] == [row[0] for row in table]
    for model, (name, provider, price, cached, rpm, tpm, shutdown) in zip(others, table, strict=True):
        assert model["radixa"] == {
            "provider": provider,
            "served_by": "fake-model",
            "prices_usd_per_mtok": {"input": price, "cached_input": cached, "cache_write": price, "output": price},
            "limits": {"rpm": rpm, "tpm": tpm},
            "context": 1000,
            "shutdown_date": shutdown,
            # What our own engine answers no provider ends.
            "retires": None,
            "retired": False,
            "successor": None,
        }
        assert (await world.client.get(f"/v1/models/{name}")).json == model
    for model, name, provider in [
        (claude, "claude-sonnet-5-5", "anthropic"),
        (gemini, "gemini-3.5-flash-lite", "gemini"),
    ]:
        assert (model["id"], model["radixa"]["provider"]) == (name, provider)
    # The sandbox does not answer for this one: it is no upstream's.
    assert vectors["id"] == vectors["radixa"]["served_by"] == VECTORS
    assert vectors["radixa"]["prices_usd_per_mtok"] == own["radixa"]["prices_usd_per_mtok"]
    assert vectors["radixa"]["context"] == MOST_TOKENS


async def test_prices_are_written_as_people_write_them(world: World) -> None:
    body = (await world.client.get("/v1/models/deepseek-chat")).body.decode()
    assert '"prices_usd_per_mtok":{"input":0.42,"cached_input":0.042,"cache_write":0.42,"output":0.42}' in body


async def test_without_sandbox_only_what_this_server_answers_itself_is_offered(build: Build) -> None:
    world = build(sandbox=False)
    assert [model["id"] for model in (await world.client.get("/v1/models")).json["data"]] == ["fake-model", VECTORS]
    missing = await world.client.get("/v1/models/gpt-4.1")
    assert (missing.status, missing.error["code"]) == (404, "model_not_found")
    assert (await world.client.chat()).status == 200


async def test_an_operators_entries(build: Build) -> None:
    dear = Prices(input=1.0, cached_input=0.5, output=2.0)
    entries = (
        ModelEntry("house/model", "radixa", prices=(dear,), rpm=5, context=500),
        ModelEntry("gpt-4.1", "openai", prices=(dear,)),
        ModelEntry("unpriced", "radixa"),
        ModelEntry("fake-model", "radixa", prices=(dear,)),
    )
    world = build(sandbox=False, models=entries)
    models = {model["id"]: model["radixa"] for model in (await world.client.get("/v1/models")).json["data"]}
    # A provider that is the engine itself needs no sandbox; the engine's own model may be given a price.
    assert list(models) == ["fake-model", VECTORS, "house/model", "unpriced"]
    assert models["house/model"]["limits"] == {"rpm": 5, "tpm": None}
    assert models["house/model"]["context"] == 500
    assert models["unpriced"]["prices_usd_per_mtok"] is None
    assert models["fake-model"]["prices_usd_per_mtok"]["output"] == 2
    assert (await world.client.get("/v1/models/house/model")).status == 200
    assert len(entries_with(entries)) == len(shipped()) + 3


def nobody(provider: str) -> Missing:
    return Missing("no key", f"set {provider.upper()}_API_KEY")


def test_prices_change_on_their_day(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = (
        Prices(input=2.0, cached_input=1.0, output=2.0, since="2026-06-01"),
        Prices(input=1.0, cached_input=0.5, output=1.0),
        Prices(input=3.0, cached_input=1.5, output=3.0, since="2027-01-01"),
    )
    found = Catalogue(
        [ModelEntry("m", "openai", prices=prices)], own="own", context=1000, sandbox=True, available=nobody
    )

    for day, price in [("2026-05-31", 1), ("2026-06-01", 2), ("2026-12-31", 2), ("2027-01-01", 3)]:
        noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()
        monkeypatch.setattr(offers, "time", SimpleNamespace(time=lambda noon=noon: noon))
        assert found.resolve("m").prices == TokenPrices(
            price * 1_000_000, price * 500_000, price * 1_000_000, price * 1_000_000, price * 1_000_000
        )


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (ModelEntry("m", "openai", prices=(Prices(-1.0, 0.1, 1.0),)), "m: price input = -1.0: expected dollars"),
        (ModelEntry("m", "openai", prices=(Prices(1.0, 1.0, 1.0, since="June"),)), "m: since = 'June': expected a day"),
        (ModelEntry("m", "openai", shutdown_date="2027-13-01"), "m: shutdown_date = '2027-13-01': expected a day"),
    ],
)
def test_a_catalogue_that_cannot_be(store: SqlStore, tmp_path: Path, entry: ModelEntry, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        Gateway(Config(models=(entry,)), store, KeyRing(store), tmp_path)


def test_a_name_nobody_knows() -> None:
    with pytest.raises(ModelNotFound, match="`x` does not exist"):
        Catalogue(shipped(), own="own", context=10, sandbox=True, available=nobody).resolve("x")


def test_cached_input_is_the_providers_share_of_the_list_price() -> None:
    """What each provider asks for a cached token, times the list price."""
    share = {"openai": 0.25, "deepseek": 0.1, "anthropic": 0.1, "gemini": 0.1}
    for entry in shipped():
        (prices,) = entry.prices
        if entry.id == VECTORS:
            assert (prices.input, prices.output) == (0, 0)
            continue
        if entry.id in {other.successor for other in shipped()}:
            # These are at their providers' own prices (test_catalogue_prices.py).
            continue
        assert prices.cached_input == pytest.approx(prices.input * share[entry.provider])
        assert prices.cache_write == prices.output == prices.input
