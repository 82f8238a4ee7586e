"""A whole gateway before servers that stand in for upstreams: what goes on, what is billed, and what if one fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from radixa.core.config import Config, EngineConfig, ModelEntry, Prices, ProviderConfig
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.providers.registry import upstreams
from radixa.store.base import KeyTerms
from radixa.store.first import ensure_first_account
from radixa.store.ledger.base import LedgerRow, Query
from radixa.store.sql import SqlStore
from tests.gateway.fakes import Answer, Client
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

PRICES = (Prices(input=2.0, cached_input=0.5, output=8.0),)
MODELS = (
    ModelEntry("big", "one", "big-of-today", PRICES, fallbacks=("small",)),
    ModelEntry("small", "two", "small-of-today", PRICES),
    ModelEntry("alone", "one", prices=PRICES),
    ModelEntry("scarce", "two", prices=PRICES, rpm=1),
    ModelEntry("modest", "two", prices=PRICES, tpm=10_000),
    ModelEntry("unpriced", "two"),
    ModelEntry("leaning", "one", prices=PRICES, fallbacks=("scarce",)),
    ModelEntry("talker", "chatty", prices=PRICES),
    ModelEntry("told", "two", extra={"thinking": {"type": "disabled"}, "seed": 1}),
)
SAY = [{"role": "user", "content": "say 5"}]


@dataclass
class Place:
    """A gateway, its administrator's client, and the two servers behind it."""

    gateway: Gateway
    client: Client
    one: OpenAIStandIn
    two: OpenAIStandIn
    store: SqlStore

    async def rows(self) -> list[LedgerRow]:
        """The ledger, oldest first."""
        assert await asyncio.to_thread(self.gateway.ledger.flush, 10)
        return self.gateway.ledger.store.rows(Query(), limit=100)[::-1]


@pytest.fixture
async def place(store: SqlStore, tmp_path: Path) -> AsyncIterator[Place]:
    one, two = OpenAIStandIn("openai"), OpenAIStandIn("openai")
    async with one.running() as first, two.running() as second:
        config = Config(
            engine=EngineConfig(enabled=False),
            models=MODELS,
            providers={
                "one": ProviderConfig("openai-compatible", f"{first}/v1", retries=0, idle_timeout_s=0.5),
                "two": ProviderConfig("openai-compatible", f"{second}/v1", retries=0),
                # It has no text completions.
                "chatty": ProviderConfig("deepseek", f"{second}/v1", retries=0),
            },
        )
        _, secret = store.create_key(ensure_first_account(store).id, "first", admin=True)
        gateway = Gateway(
            config, store, KeyRing(store), tmp_path, upstreams(config.providers, {"DEEPSEEK_API_KEY": "sk-of-somebody"})
        )
        await gateway.start()
        yield Place(gateway, Client(App(gateway), secret), one, two, store)
        await gateway.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.01)


async def chat(place: Place, model: str, **fields: Any) -> Answer:
    return await place.client.post("/v1/chat/completions", {"model": model, "messages": SAY} | fields)


async def test_a_body_goes_on_as_it_came_but_for_what_must_change(place: Place) -> None:
    answer = await chat(
        place, "small", cache_salt="s", session_id="me", prompt_cache=True, metadata={"a": [1, 2.50]}, nobody=None
    )
    assert answer.status == 200
    sent = place.two.requests[0].json
    assert sent["model"] == "small-of-today"
    assert (sent["messages"], sent["metadata"], sent["nobody"]) == (SAY, {"a": [1, 2.5]}, None)
    assert not {"cache_salt", "session_id", "prompt_cache"} & sent.keys()
    assert answer.headers["x-radixa-served-by"] == "small-of-today"
    assert "x-radixa-fallback-from" not in answer.headers


async def test_an_entrys_own_fields_go_where_the_body_has_none_of_them(place: Place) -> None:
    await chat(place, "told", seed=7)
    sent = place.two.requests[0].json
    assert (sent["thinking"], sent["seed"]) == ({"type": "disabled"}, 7)


async def test_the_bill_is_what_the_answer_says(place: Place) -> None:
    long = [{"role": "user", "content": "word " * 2000 + "say 5"}]
    for stream in (False, False, True):
        answer = await chat(place, "small", messages=long, stream=stream, stream_options=None)
        assert answer.status == 200
    usage = (await chat(place, "small", messages=long)).json["usage"]
    *_, last = rows = await place.rows()
    assert [row.stream for row in rows] == [False, False, True, False]
    assert [row.cached_tokens > 0 for row in rows] == [False, True, True, True]
    # Asked for or not, the upstream was made to say it.
    assert not any(row.estimated for row in rows)
    assert usage["prompt_tokens"] == last.prompt_tokens
    assert usage["cached_tokens"] == last.cached_tokens == usage["prompt_tokens_details"]["cached_tokens"]
    plain = last.prompt_tokens - last.cached_tokens
    assert last.cost_nano_usd == plain * 2000 + last.cached_tokens * 500 + last.completion_tokens * 8000
    assert last.saved_nano_usd == last.cached_tokens * 1500
    assert usage["radixa"]["cost_usd"] == pytest.approx(last.cost_nano_usd / 1e9, abs=0)
    assert (last.provider, last.model, last.served_by, last.api) == ("two", "small", "small-of-today", "chat")
    assert last.ttft_ms is not None
    assert 0 < last.ttft_ms <= last.duration_ms
    assert last.blocks == b""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("cut"), Fault("wrong_type"), Fault("status", 429)])
async def test_a_fallback_answers_and_says_for_whom(place: Place, stream: bool, fault: Fault) -> None:
    place.one.faults = [fault]
    answer = await chat(place, "big", stream=stream)
    assert answer.status == 200
    assert answer.headers["x-radixa-fallback-from"] == "big"
    assert answer.headers["x-radixa-served-by"] == "small-of-today"
    (row,) = await place.rows()
    assert (row.model, row.fallback_from, row.served_by) == ("small", "big", "small-of-today")


async def test_what_the_caller_got_wrong_is_said_and_no_fallback_asked(place: Place) -> None:
    place.one.faults = [Fault("status", 400)]
    answer = await chat(place, "big")
    assert (answer.status, answer.error["param"]) == (400, "temperature")
    assert place.two.requests == []
    assert await place.rows() == []


async def test_where_all_fail_the_first_failure_is_told_and_nothing_billed(place: Place) -> None:
    place.one.faults, place.two.faults = [Fault("status", 500)], [Fault("status", 503)]
    answer = await chat(place, "big")
    assert answer.status == 502
    assert "one" in answer.error["message"]
    assert await place.rows() == []


@pytest.mark.parametrize("kind", ["cut_middle", "end_early", "malformed", "error_event", "stall_middle"])
async def test_a_stream_that_breaks_off_ends_with_an_error_and_a_row_of_what_was_delivered(
    place: Place, kind: Any
) -> None:
    place.one.faults = [Fault(kind, after=4)]
    answer = await chat(place, "alone", stream=True)
    assert answer.status == 200
    *pieces, last = answer.body.decode().removesuffix("\n\n").split("\n\n")
    error = json.loads(last.removeprefix("data: "))["error"]
    assert error["type"] == "upstream_error"
    assert b"[DONE]" not in answer.body
    text = "".join(json.loads(p.removeprefix("data: "))["choices"][0]["delta"].get("content") or "" for p in pieces)
    (row,) = await place.rows()
    assert row.status in (502, 504)
    assert row.estimated
    assert row.completion_tokens == -(-len(text) // 4) > 0
    assert row.cost_nano_usd == row.prompt_tokens * 2000 + row.completion_tokens * 8000


async def test_an_event_of_several_lines_goes_on_as_one_that_every_client_reads(place: Place) -> None:
    place.one.faults = [Fault("several_lines", then="always")]
    for path, body in (("chat/completions", {"messages": SAY}), ("completions", {"prompt": "say 5"})):
        wanted = {"model": "alone", "stream": True, "stream_options": {"include_usage": True}, **body}
        answer = await place.client.post(f"/v1/{path}", wanted)
        assert answer.status == 200
        lines = [line for line in answer.body.decode().split("\n") if line]
        assert lines[-1] == "data: [DONE]"
        pieces = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
        assert pieces[-1]["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize(
    "picture",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}},
    ],
    ids=["chat", "messages"],
)
async def test_a_pictures_bytes_are_neither_reserved_nor_billed_as_text(place: Place, picture: dict[str, Any]) -> None:
    place.two.faults = [Fault("cut_middle", after=2)]
    path = "messages" if "source" in picture else "chat/completions"
    content = [{"type": "text", "text": "say 5"}, picture]
    wanted = {"model": "modest", "stream": True, "max_tokens": 50, "messages": [{"role": "user", "content": content}]}
    answer = await place.client.post(f"/v1/{path}", wanted)
    assert answer.status == 200
    (row,) = await place.rows()
    assert row.estimated
    assert 0 < row.prompt_tokens < 100


@pytest.mark.parametrize("kind", ["cut_middle", "malformed"])
async def test_a_whole_answer_that_breaks_off_was_none(place: Place, kind: Any) -> None:
    place.one.faults = [Fault(kind)]
    assert (await chat(place, "alone")).status == 502
    assert await place.rows() == []


async def test_a_client_that_leaves_ends_the_upstreams_work(place: Place) -> None:
    place.one.gap_s = 0.05
    leave, answer = asyncio.Event(), Answer()
    body = json.dumps({"model": "alone", "messages": [{"role": "user", "content": "say 10"}], "stream": True}).encode()
    asking = asyncio.create_task(place.client.call("POST", "/v1/chat/completions", body, leave=leave, answer=answer))
    await until(lambda: b"one" in answer.body)
    leave.set()
    await asking
    await until(lambda: place.one.left > 0)
    (row,) = await place.rows()
    assert (row.status, row.estimated) == (499, True)
    assert row.completion_tokens < 10


async def test_a_limit_is_said_before_the_upstream_is_asked(place: Place) -> None:
    first, second = await chat(place, "scarce"), await chat(place, "scarce")
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert (second.status, second.error["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(second.headers["retry-after"]) <= 61
    assert len(place.two.requests) == 1


async def test_what_failed_burns_no_limit(place: Place) -> None:
    place.two.faults = [Fault("status", 500)]
    assert (await chat(place, "scarce")).status == 502
    assert (await chat(place, "scarce")).status == 200


async def test_a_key_may_ask_for_usage_always(place: Place) -> None:
    account = ensure_first_account(place.store)
    _, secret = place.store.create_key(account.id, "cline", terms=KeyTerms(force_include_usage=True))
    body = {"model": "small", "messages": SAY, "stream": True}
    told = await place.client.using(secret).post("/v1/chat/completions", body)
    untold = await place.client.post("/v1/chat/completions", body)
    assert told.events[-1]["usage"]["completion_tokens"] == 5
    assert told.events[-1]["choices"] == []
    assert all(not event.get("usage") for event in untold.events)


async def test_an_unknown_price_is_null_everywhere(place: Place) -> None:
    answer = await chat(place, "unpriced")
    assert answer.json["usage"]["radixa"]["cost_usd"] is None
    (row,) = await place.rows()
    assert (row.cost_nano_usd, row.saved_nano_usd) == (None, None)


async def test_no_model_of_our_own_is_no_default(place: Place) -> None:
    answer = await place.client.post("/v1/chat/completions", {"messages": SAY})
    assert (answer.status, answer.error["param"]) == (400, "model")
    assert (await place.client.get("/ready")).status == 200


async def test_a_client_that_leaves_before_the_first_byte_has_a_row_and_holds_nothing(place: Place) -> None:
    body = json.dumps({"model": "small", "messages": SAY, "stream": True}).encode()
    headers = [(b"authorization", f"Bearer {place.client.key}".encode())]
    path = "/v1/chat/completions"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    pieces, started = [body], asyncio.Event()

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        assert message["type"] == "http.response.start"
        started.set()
        await asyncio.Event().wait()

    await place.client.app(scope, receive, send)
    (row,) = await place.rows()
    assert row.status == 499
    assert row.prompt_tokens > 0
    assert (await place.gateway.limiter.spent(row.account_id)).held == 0


async def test_prompts_that_are_asked_one_by_one_are_billed_together(place: Place) -> None:
    place.two.gap_s = 0.02
    answer = await place.client.post("/v1/completions", {"model": "talker", "prompt": ["say 5", "say 5"]})
    assert len(place.two.requests) == 2
    (row,) = await place.rows()
    usage = answer.json["usage"]
    assert (row.prompt_tokens, row.completion_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert row.completion_tokens == 10


async def test_a_fallback_that_the_key_may_not_use_is_not_asked(place: Place) -> None:
    account = ensure_first_account(place.store)
    _, secret = place.store.create_key(account.id, "narrow", terms=KeyTerms(models=("big",)))
    place.one.faults = [Fault("status", 500)]
    answer = await place.client.using(secret).post("/v1/chat/completions", {"model": "big", "messages": SAY})
    assert answer.status == 502
    assert place.two.requests == []


async def test_a_fallback_that_is_at_its_limit_leaves_the_first_failure_to_be_told(place: Place) -> None:
    assert (await chat(place, "scarce")).status == 200
    place.one.faults = [Fault("status", 500)]
    answer = await chat(place, "leaning")
    assert answer.status == 502
    assert "one" in answer.error["message"]


async def test_a_database_that_is_away_is_a_503_that_says_so(place: Place) -> None:
    @event.listens_for(place.store.engine, "do_connect")
    def refused(*_: object) -> None:
        raise OperationalError("CONNECT", {}, Exception("connection refused"))

    place.store.engine.dispose()
    for path in ("/v1/usage", "/v1/keys", "/v1/accounts"):
        answer = await place.client.get(path)
        assert answer.status == 503
        assert answer.error["code"] == "store_unavailable"
    event.remove(place.store.engine, "do_connect", refused)
    assert (await place.client.get("/v1/keys")).status == 200


async def test_what_only_an_engine_can_do_is_refused_where_there_is_none(place: Place) -> None:
    for answer in (
        await place.client.get("/v1/cache"),
        await place.client.post("/v1/cache/explain", {"model": "small", "messages": SAY}),
    ):
        assert (answer.status, answer.error["code"]) == (400, "no_engine")
    assert (await place.client.get("/metrics")).status == 200
