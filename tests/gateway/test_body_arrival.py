"""Bodies that stop, come in drops or break off: each is told so, and none holds its place for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from radixa.gateway import request
from radixa.models.base import ModelFolder
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Answer
from tests.gateway.live import KEY, serving

BODY = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
HEAD = f"POST /v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n".encode()


async def send_slowly(world: World, parts: list[bytes], pause_s: float, then: str = "silence") -> Answer:
    """A body in parts, each after a pause; then nothing more, or the connection's end."""
    answer = Answer()
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        if not waiting:
            if then == "disconnect":
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": waiting.pop(0), "more_body": then != "end" or bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    headers = [(b"authorization", f"Bearer {world.client.key}".encode())]
    path = "/v1/chat/completions"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    async with asyncio.timeout(10):
        await world.app(scope, receive, send)
    return answer


@pytest.mark.parametrize("parts", [[], [BODY[:10]], [BODY]], ids=["nothing", "half", "all but its end"])
async def test_a_body_that_stops_is_408(build: Build, parts: list[bytes]) -> None:
    world = build(body_timeout_s=0.05)
    answer = await send_slowly(world, parts, 0.0)
    assert answer.status == 408
    assert answer.error["code"] == "request_timeout"
    assert "nothing more came within 0.05 seconds" in answer.error["message"]
    assert answer.headers["connection"] == "close"
    assert world.engine.requests == []
    text = (await world.client.get("/metrics")).body.decode()
    assert 'radixa_requests_total{route="/v1/chat/completions",status="408"} 1.0' in text


async def test_a_body_in_drops_is_408(build: Build) -> None:
    """A byte now and then keeps nothing open: each is in time, and all of them are too slow."""
    world = build(body_timeout_s=0.3)
    answer = await send_slowly(world, [b" "] * 1000, 0.02)
    assert answer.status == 408


async def test_a_long_body_may_take_longer_than_the_timeout(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps coming gains time: here a hundred bytes each 20 ms, at a least rate of 1,000 bytes a second."""
    monkeypatch.setattr(request, "LEAST_RATE", 1000)
    world = build(body_timeout_s=0.3)
    body = BODY + b" " * 4000
    parts = [body[i : i + 100] for i in range(0, len(body), 100)]
    assert len(parts) * 0.02 > 2 * 0.3
    answer = await send_slowly(world, parts, 0.02, "end")
    assert answer.status == 200


async def test_a_body_that_breaks_off_is_400_and_no_work(world: World) -> None:
    answer = await send_slowly(world, [BODY[:10]], 0.0, "disconnect")
    assert answer.status == 400
    assert "The request's body broke off" in answer.error["message"]
    assert world.engine.requests == []


def talk(url: str, raw: bytes) -> bytes:
    """All that comes back on one connection until its end."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(raw)
        found = b""
        while part := connection.recv(65_536):
            found += part
        return found


def test_over_a_real_connection(smollm2: ModelFolder, tmp_path: Path) -> None:
    with serving(tmp_path, wait=False, RADIXA_SERVER_BODY_TIMEOUT_S="0.5") as live:
        for coding in (b"Content-Length: 100\r\n\r\n{", b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"nam\r\n'):
            found = talk(live.url, HEAD + coding)
            assert found.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"request_timeout"' in found
        broken = talk(live.url, HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"nam\r\nzz\r\nhello')
        assert broken.startswith(b"HTTP/1.1 400 ")
        assert b'"type":"invalid_request_error"' in broken
        # Those that really leave trouble nobody.
        host, port = live.url.removeprefix("http://").split(":")
        with contextlib.closing(socket.create_connection((host, int(port)), 20)) as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert live.status("/health") == 200
        assert live.stop() == 0
        assert "Traceback" not in live.output
