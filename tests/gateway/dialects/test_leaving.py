"""A client that leaves ends its work through these APIs too (law 7)."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.gateway.conftest import Build
from tests.gateway.fakes import Answer, FakeEngine
from tests.gateway.test_leaving import until

BODY = {"max_tokens": 20, "messages": [{"role": "user", "content": "hi"}], "input": "hi"}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("steps", [0, 4])
async def test_a_client_that_leaves_ends_its_work(build: Build, path: str, stream: bool, steps: int) -> None:
    gate = asyncio.Semaphore(steps)
    world = build(FakeEngine(gate=gate))
    leave, answer = asyncio.Event(), Answer()
    body = json.dumps(BODY | {"stream": stream}).encode()
    call = asyncio.create_task(world.client.call("POST", path, body, leave=leave, answer=answer))
    await until(lambda: bool(world.engine.requests) and gate.locked())
    await until(lambda: not stream or answer.body.count(b'"delta":') == steps)
    assert world.engine.ended == []
    leave.set()
    await call
    assert world.engine.ended == [request.request_id for request in world.engine.requests]
    assert world.engine.finished == []
    assert b"message_stop" not in answer.body
    assert b"response.completed" not in answer.body
