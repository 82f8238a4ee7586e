"""Clients that leave, engines that die, servers that stop: work ends, others go on, and everyone is told (law 7)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from radixa.core.errors import EngineUnavailable
from radixa.store.ledger.base import Query
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Answer, FakeEngine

BODY = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
STREAM = json.dumps({"messages": [{"role": "user", "content": "hi"}], "stream": True, "n": 2}).encode()
TEXT = json.dumps({"prompt": ["a", "b", "c"], "stream": True}).encode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("path", "body", "steps"),
    [
        ("/v1/chat/completions", BODY, 0),
        ("/v1/chat/completions", BODY, 4),
        ("/v1/chat/completions", STREAM, 0),
        ("/v1/chat/completions", STREAM, 5),
        ("/v1/completions", TEXT, 7),
    ],
    ids=["waiting", "mid-answer", "stream, waiting", "stream, mid-answer", "several prompts"],
)
async def test_a_client_that_leaves_ends_its_work(build: Build, path: str, body: bytes, steps: int) -> None:
    gate = asyncio.Semaphore(steps)
    world = build(FakeEngine(gate=gate))
    leave = asyncio.Event()
    answer = Answer()
    call = asyncio.create_task(world.client.call("POST", path, body, leave=leave, answer=answer))
    await until(lambda: bool(world.engine.requests) and gate.locked())
    await asyncio.sleep(0.01)
    assert world.engine.ended == []
    leave.set()
    await call
    # No step was let through after it left, and every engine request was closed all the same.
    assert sorted(world.engine.ended) == sorted(request.request_id for request in world.engine.requests)
    assert world.engine.finished == []
    assert b"[DONE]" not in answer.body
    text = (await world.client.get("/metrics")).body.decode()
    assert f'radixa_requests_total{{route="{path}",status="499"}} 1.0' in text


async def test_one_leaving_leaves_the_others_alone(build: Build) -> None:
    gate = asyncio.Semaphore(0)
    world = build(FakeEngine(gate=gate))
    leave = asyncio.Event()
    leaver = asyncio.create_task(world.client.call("POST", "/v1/chat/completions", STREAM, leave=leave))
    stayer = asyncio.create_task(world.client.call("POST", "/v1/chat/completions", BODY))
    await until(lambda: len(world.engine.requests) == 3)
    leave.set()
    await leaver
    for _ in range(9):
        gate.release()
    assert (await stayer).json["choices"][0]["message"]["content"] == "forty-two"


@pytest.mark.parametrize("fields", [{}, {"n": 3}, {"stream": True}])
async def test_an_engine_that_dies_before_the_first_token(build: Build, fields: dict[str, Any]) -> None:
    world = build(FakeEngine(fails_at=0))
    answer = await world.client.chat(**fields)
    assert answer.status == 503
    assert answer.error["type"] == "service_unavailable_error"
    assert answer.error["code"] == "engine_unavailable"
    assert "being started again" in answer.error["message"]
    assert "retry-after" in answer.headers


async def test_an_engine_that_dies_in_mid_answer(build: Build) -> None:
    world = build(FakeEngine(fails_at=3))
    answer = await world.client.chat()
    assert answer.status == 503
    # Nothing of it was delivered.
    assert "radixa_completion_tokens_total{" not in (await world.client.get("/metrics")).body.decode()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_an_engine_that_dies_in_mid_stream(build: Build, path: str) -> None:
    world = build(FakeEngine(fails_at=3))
    body = {"stream": True, "messages": [{"role": "user", "content": "hi"}], "prompt": "hi"}
    answer = await world.client.post(path, body)
    assert answer.status == 200  # It was sent with the first token.
    *pieces, last = answer.body.decode().removesuffix("\n\n").split("\n\n")
    assert len(pieces) >= 3
    assert json.loads(last.removeprefix("data: "))["error"] == {
        "message": "the engine died and is being started again",
        "type": "service_unavailable_error",
        "param": None,
        "code": "engine_unavailable",
    }
    assert b"[DONE]" not in answer.body
    metrics = (await world.client.get("/metrics")).body.decode()
    assert f'radixa_requests_total{{route="{path}",status="503"}} 1.0' in metrics
    # What was delivered counts.
    assert 'radixa_completion_tokens_total{model="fake-model"} 3.0' in metrics


async def test_a_bug_is_a_500_with_the_request_id_and_a_traceback_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(world.engine, "_computed", broken)
    with caplog.at_level(logging.ERROR, "radixa.gateway"):
        whole = await world.client.chat()
        stream = await world.client.chat(stream=True)
    assert whole.status == 500
    assert whole.error["type"] == "server_error"
    assert whole.headers["x-request-id"] in whole.error["message"]
    assert b'"type":"server_error"' in stream.parts[-1]
    assert "ZeroDivisionError" not in whole.body.decode() + stream.body.decode()
    assert caplog.text.count("ZeroDivisionError: a bug of ours") == 2


async def test_a_server_that_stops_lets_running_requests_finish(build: Build) -> None:
    gate = asyncio.Semaphore(2)
    world = build(FakeEngine(gate=gate))
    running = asyncio.create_task(world.client.call("POST", "/v1/chat/completions", BODY))
    await until(lambda: bool(world.engine.requests) and gate.locked())
    drain = asyncio.create_task(world.app.drain(5))
    await asyncio.sleep(0.01)
    assert (await world.client.get("/ready")).json["status"] == "stopping"
    late = await world.client.chat()
    assert late.status == 503
    assert "shutting down" in late.error["message"]
    for _ in range(9):
        gate.release()
    await drain
    assert (await running).status == 200


async def test_a_server_that_stops_ends_what_takes_too_long(build: Build) -> None:
    gate = asyncio.Semaphore(3)
    world = build(FakeEngine(gate=gate))
    whole = asyncio.create_task(world.client.call("POST", "/v1/chat/completions", BODY))
    stream = asyncio.create_task(world.client.call("POST", "/v1/completions", TEXT))
    await until(lambda: len(world.engine.requests) == 4 and gate.locked())
    await world.app.drain(0.05)
    assert (await whole).status == 503
    assert "could not be finished" in (await whole).error["message"]
    assert (await stream).status in (200, 503)
    assert b"could not be finished" in (await stream).body
    assert len(world.engine.ended) == 4


async def test_a_fault_that_the_engine_names_keeps_its_status(build: Build) -> None:
    overloaded = EngineUnavailable("1024 requests are waiting already", code="server_is_overloaded")
    world = build(FakeEngine(fails_at=0, failure=overloaded))
    answer = await world.client.chat()
    assert (answer.status, answer.error["code"]) == (503, "server_is_overloaded")


async def test_two_hundred_at_once(build: Build) -> None:
    world = build()
    answers = await asyncio.gather(
        *(world.client.chat(f"question {i}", stream=bool(i % 2), n=1 + i % 3) for i in range(200))
    )
    assert {answer.status for answer in answers} == {200}
    assert len(world.engine.finished) == sum(1 + i % 3 for i in range(200))


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_end_of_the_server_interrupts_is_billed_as_far_as_it_was_delivered(
    build: Build, stream: bool
) -> None:
    gate = asyncio.Semaphore(3)
    world = build(FakeEngine(gate=gate))
    asking = asyncio.create_task(world.client.chat(stream=stream))
    await until(lambda: bool(world.engine.requests) and gate.locked())
    await asyncio.sleep(0.01)
    await world.app.drain(0.01)
    await asking
    assert await asyncio.to_thread(world.gateway.ledger.flush, 20)
    rows = world.gateway.ledger.store.rows(Query(), limit=10)
    assert [(row.status, row.completion_tokens) for row in rows] == ([(503, 3)] if stream else [])
