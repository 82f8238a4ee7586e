"""The upstream client over real connections: every way in which a server can fail, and what does not happen twice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from radixa.core.config import ProviderConfig
from radixa.core.errors import RadixaError, RateLimited, UpstreamError, UpstreamRefused, UpstreamTimeout
from radixa.providers.upstream import http
from radixa.providers.upstream.breaker import Breaker
from radixa.providers.upstream.http import Upstream
from radixa.providers.upstream.retry import retry_after
from radixa.providers.upstream.sse import EventParser, ServerEvent
from tests.upstreams.base import Fault, StandIn, until

WHOLE = b'{"answer": 42}'
EVENTS = [b"data: %d\n\n" % i for i in range(5)] + [b"data: [DONE]\n\n"]
QUICK = ProviderConfig(
    kind="openai-compatible", connect_timeout_s=2.0, first_byte_timeout_s=0.3, idle_timeout_s=0.3, retries=0
)
PATIENT = ProviderConfig(kind="openai-compatible", retries=2)


class Plain(StandIn):
    """Answers a POST of `/whole` and of `/stream`; `/compressed` shows what the client says it takes."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/whole", self.whole), web.post("/stream", self.stream)]

    def error_body(self, status: int) -> bytes:
        return b"failed with %d" % status

    def error_event(self) -> bytes:
        return b"event: error\ndata: {}\n\n"

    async def whole(self, request: web.Request) -> web.StreamResponse:
        await self.record(request)
        return await self.answer(request, self.next_fault(), whole=WHOLE)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        await self.record(request)
        return await self.answer(request, self.next_fault(), events=EVENTS)


def explain(status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
    if status == 429:
        asked = retry_after(headers)
        return RateLimited(body.decode(), kind="requests", retry_ms=None if asked is None else round(asked * 1000))
    if status < 500:
        return UpstreamRefused(body.decode(), status=status)
    return UpstreamError(body.decode(), status=status, retry_after=retry_after(headers))


@asynccontextmanager
async def to(url: str, config: ProviderConfig = QUICK, breaker: Breaker | None = None) -> AsyncIterator[Upstream]:
    upstream = Upstream("acme", url, config, {"Authorization": "Bearer sk-1"}, explain, breaker=breaker)
    try:
        yield upstream
    finally:
        await upstream.close()


async def collect(upstream: Upstream, into: list[bytes] | None = None, **more: Any) -> list[bytes]:
    """The data of a stream's events; what came before it failed is `into` then."""
    got = [] if into is None else into
    async with aclosing(upstream.stream("/stream", b"{}", **more)) as events:  # type: ignore[type-var]
        async for event in events:
            got.append(event.data)
    return got


async def ask(upstream: Upstream, path: str) -> object:
    return await (upstream.post(path, b"{}") if path == "/whole" else collect(upstream))


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once where the upstream asks for nothing."""
    monkeypatch.setattr("radixa.providers.upstream.retry._FIRST_S", 0.001)


# ---- what is well


async def test_a_whole_answer() -> None:
    stand_in = Plain()
    async with stand_in.running() as url, to(url) as upstream:
        assert await upstream.post("/whole", b'{"x": 1}', {"X-More": "yes"}) == WHOLE
    (asked,) = stand_in.requests
    assert asked.body == b'{"x": 1}'
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert asked.headers["x-more"] == "yes"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"].startswith("radixa/")


async def test_a_stream() -> None:
    stand_in = Plain()
    async with stand_in.running() as url, to(url) as upstream:
        assert await collect(upstream) == [b"0", b"1", b"2", b"3", b"4", b"[DONE]"]
    assert stand_in.requests[0].headers["accept"] == "text/event-stream"


async def test_connections_are_kept_after_streams_too() -> None:
    stand_in = Plain()
    async with stand_in.running() as url, to(url) as upstream:
        for _ in range(4):
            await collect(upstream, last=lambda event: event.data == b"[DONE]")
            await upstream.post("/whole", b"{}")
    assert len(stand_in.requests) == 8
    assert len(stand_in.connections) == 1


async def test_a_stream_whose_connection_stays_open_after_its_last_event_ends() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("stall_middle", after=6)]
    async with stand_in.running() as url, to(url) as upstream:
        assert (await collect(upstream, last=lambda event: event.data == b"[DONE]"))[-1] == b"[DONE]"
        await until(lambda: stand_in.left == 1)


async def test_a_large_body_arrives_whole() -> None:
    stand_in = Plain()
    body = b"x" * (3 << 20)
    async with stand_in.running() as url, to(url) as upstream:
        await upstream.post("/whole", body)
    assert stand_in.requests[0].body == body


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with Plain().running() as url, to(url) as upstream:
        assert await upstream.post("/whole", b"{}") == WHOLE


# ---- time-outs, each of its stage


@pytest.mark.parametrize("kind", ["stall", "stall_begun"])
async def test_an_answer_that_does_not_begin(kind: Any) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault(kind, then="always")]
    async with stand_in.running() as url, to(url) as upstream:
        with pytest.raises(UpstreamTimeout, match=r"^acme did not begin to answer within 0.3 s\.$") as caught:
            await upstream.post("/whole", b"{}")
        assert caught.value.status == 504
        assert caught.value.retryable
        with pytest.raises(UpstreamTimeout, match=r"did not begin to answer within 0\.3 s"):
            await collect(upstream)
        await until(lambda: stand_in.left == 2)


async def test_a_stream_that_stops() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("stall_middle", after=2)]
    got: list[bytes] = []
    async with stand_in.running() as url, to(url, ProviderConfig(kind="vllm", idle_timeout_s=0.2)) as upstream:
        with pytest.raises(UpstreamTimeout, match=r"^acme stopped answering: nothing came for 0.2 s\.$") as caught:
            await collect(upstream, got)
        await until(lambda: stand_in.left == 1)
    assert got == [b"0", b"1"]
    assert not caught.value.retryable
    assert len(stand_in.requests) == 1


@pytest.mark.parametrize("after", [0, 2])
async def test_comments_keep_a_stream_for_a_while_only(after: int) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("comments", after=after)]
    got: list[bytes] = []
    config = ProviderConfig(kind="vllm", first_byte_timeout_s=0.5, idle_timeout_s=0.2, retries=0)
    async with stand_in.running() as url, to(url, config) as upstream:
        with pytest.raises(UpstreamTimeout, match=r"^acme stopped answering: no event came for 0.5 s\.$") as caught:
            await collect(upstream, got)
        await until(lambda: stand_in.left == 1)
    assert got == [b"0", b"1"][:after]
    assert caught.value.retryable is (after == 0)


async def test_the_time_of_a_slow_reader_is_not_the_upstreams() -> None:
    config = ProviderConfig(kind="vllm", first_byte_timeout_s=0.2, idle_timeout_s=0.2, retries=0)
    stand_in = Plain()
    stand_in.gap_s = 0.02
    got = 0
    async with stand_in.running() as url, to(url, config) as upstream:
        async for _ in upstream.stream("/stream", b"{}"):
            got += 1
            await asyncio.sleep(0.25 if got == 1 else 0)
    assert got == len(EVENTS)


async def test_a_server_that_does_not_accept() -> None:
    # The one place of its queue is taken, so that the next connection waits for ever.
    with socket.socket() as listening, socket.socket() as first:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        first.setblocking(False)
        first.connect_ex(listening.getsockname())
        config = ProviderConfig(kind="vllm", connect_timeout_s=0.2, retries=0)
        async with to(f"http://127.0.0.1:{listening.getsockname()[1]}", config) as upstream:
            with pytest.raises(UpstreamTimeout, match=r"^acme did not connect within 0.2 s\.$"):
                await upstream.post("/whole", b"{}")


# ---- tries


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_nobody_there() -> None:
    async with to(f"http://127.0.0.1:{closed_port()}", PATIENT) as upstream:
        with pytest.raises(UpstreamError, match=r"^acme cannot be reached: .*") as caught:
            await upstream.post("/whole", b"{}")
    assert "127.0.0.1" not in caught.value.message
    assert caught.value.status == 502
    assert upstream.breaker.failures == 1


async def test_a_name_that_nobody_has() -> None:
    async with to("http://nobody.invalid", QUICK) as upstream:
        with pytest.raises(UpstreamError, match=r"^acme cannot be reached: ") as caught:
            await upstream.post("/whole", b"{}")
    assert "nobody" not in caught.value.message


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
@pytest.mark.parametrize("path", ["/whole", "/stream"])
async def test_what_may_pass_is_tried_again(status: int, path: str) -> None:
    stand_in = Plain()
    headers = {"retry-after-ms": "1"}
    stand_in.faults = [Fault("status", status=status, headers=headers), Fault("status", status=status, headers=headers)]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        assert await ask(upstream, path)
    assert len(stand_in.requests) == 3


@pytest.mark.parametrize(
    "fault", [Fault("cut"), Fault("cut_middle", after=0), Fault("stall"), Fault("end_early", after=0)]
)
async def test_a_stream_that_fails_before_its_first_event_is_tried_again(fault: Fault) -> None:
    stand_in = Plain()
    stand_in.faults = [fault]
    config = ProviderConfig(kind="vllm", first_byte_timeout_s=0.3, idle_timeout_s=0.3)
    async with stand_in.running() as url, to(url, config) as upstream:
        assert len(await collect(upstream)) == 6
    assert len(stand_in.requests) == 2


@pytest.mark.parametrize("kind", ["cut", "cut_middle"])
async def test_a_whole_answer_that_breaks_off_is_tried_again(kind: Any) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault(kind)]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        assert await upstream.post("/whole", b"{}") == WHOLE
    assert len(stand_in.requests) == 2


async def test_tries_end() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=500, then="always")]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(UpstreamError, match=r"^failed with 500$"):
            await upstream.post("/whole", b"{}")
    assert len(stand_in.requests) == 3


async def test_a_wait_that_nobody_waits_is_passed_on_at_once() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=503, headers={"retry-after": "60"})]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(UpstreamError) as caught:
            await upstream.post("/whole", b"{}")
    assert caught.value.retry_after == 60
    assert len(stand_in.requests) == 1


async def test_a_limit_that_says_nothing_of_when_is_not_tried_again() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=429)]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(RateLimited):
            await upstream.post("/whole", b"{}")
    assert len(stand_in.requests) == 1
    assert upstream.breaker.failures == 0


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_what_the_caller_got_wrong_is_not_tried_again(status: int) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=status)]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(UpstreamRefused, match=f"^failed with {status}$"):
            await collect(upstream)
    assert len(stand_in.requests) == 1
    assert upstream.breaker.failures == 0


@pytest.mark.parametrize("after", [1, 3])
async def test_nothing_is_tried_again_once_an_event_was_delivered(after: int) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("cut_middle", after=after)]
    got: list[bytes] = []
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(UpstreamError, match=r"^acme broke off its answer: ") as caught:
            await collect(upstream, got)
    assert got == [b"%d" % i for i in range(after)]
    assert not caught.value.retryable
    assert len(stand_in.requests) == 1
    assert upstream.breaker.failures == 1


# ---- what is no answer


async def test_a_redirect_is_an_error() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("redirect")]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(
            UpstreamError, match=r"^acme answered with a redirect \(status 307\), which is not followed"
        ):
            await upstream.post("/whole", b"{}")
    assert len(stand_in.requests) == 1


@pytest.mark.parametrize(("path", "wanted"), [("/whole", "json"), ("/stream", "text/event-stream")])
async def test_a_page_is_no_answer(path: str, wanted: str) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("wrong_type")]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(
            UpstreamError, match=f"^acme answered with content of type 'text/html', expected '{wanted}'"
        ):
            await ask(upstream, path)
    assert len(stand_in.requests) == 1


async def test_a_status_that_is_no_answer() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=204)]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(UpstreamError, match="answered with status 204, expected 200"):
            await upstream.post("/whole", b"{}")


async def test_an_event_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.providers.upstream.http.EventParser", lambda: EventParser(1 << 20))
    stand_in = Plain()
    stand_in.faults = [Fault("flood", after=1)]
    async with stand_in.running() as url, to(url) as upstream:
        with pytest.raises(UpstreamError, match="acme sent an event of more than 1048576 bytes in the middle"):
            await collect(upstream)
        await until(lambda: stand_in.left == 1)
    assert stand_in.sent_bytes < 32 << 20


async def test_a_whole_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 10)
    async with Plain().running() as url, to(url, PATIENT) as upstream:
        with pytest.raises(UpstreamError, match="answered with more than 10 bytes"):
            await upstream.post("/whole", b"{}")


async def test_an_errors_body_is_read_in_part() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=400, body=b"x" * (1 << 20))]
    async with stand_in.running() as url, to(url) as upstream:
        with pytest.raises(UpstreamRefused) as caught:
            await upstream.post("/whole", b"{}")
    assert len(caught.value.message) == http.MAX_ERROR_BYTES


# ---- the breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_an_upstream_that_fails_again_and_again_is_left_alone_until_it_is_well() -> None:
    stand_in, clock = Plain(), Clock()
    stand_in.faults = [Fault("status", status=500) for _ in range(3)]
    async with stand_in.running() as url, to(url, QUICK, Breaker(3, 5.0, clock=clock)) as upstream:
        for _ in range(3):
            assert upstream.ready
            with pytest.raises(UpstreamError, match="failed with 500"):
                await upstream.post("/whole", b"{}")
        assert not upstream.ready
        clock.now = 2.0
        with pytest.raises(UpstreamError, match=r"^acme failed 3 times in a row and is left alone for another 3.0 s\."):
            await collect(upstream)
        assert len(stand_in.requests) == 3
        clock.now = 5.0
        assert upstream.ready
        assert await upstream.post("/whole", b"{}") == WHOLE
        assert upstream.ready


async def test_refusals_open_no_breaker() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("status", status=400, then="always")]
    async with stand_in.running() as url, to(url, QUICK, Breaker(1)) as upstream:
        for _ in range(3):
            with pytest.raises(UpstreamRefused):
                await upstream.post("/whole", b"{}")
        assert upstream.ready


# ---- leaving, and reading slowly


async def test_closing_a_stream_ends_the_call_at_the_upstream() -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("stall_middle", after=1)]
    async with stand_in.running() as url, to(url) as upstream:
        events = upstream.stream("/stream", b"{}")
        assert await anext(events) == ServerEvent("", b"0")
        await events.aclose()  # type: ignore[attr-defined]
        await until(lambda: stand_in.left == 1)


@pytest.mark.parametrize("path", ["/whole", "/stream"])
async def test_a_task_that_is_cancelled_ends_the_call_at_the_upstream(path: str) -> None:
    stand_in = Plain()
    stand_in.faults = [Fault("stall")]
    async with stand_in.running() as url, to(url, PATIENT) as upstream:
        task = asyncio.create_task(ask(upstream, path))
        await until(lambda: stand_in.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: stand_in.left == 1)
        assert upstream.breaker.failures == 0


class Endless(Plain):
    """A stream of many events, as fast as they are taken."""

    async def stream(self, request: web.Request) -> web.StreamResponse:
        await self.record(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        event = b"data: " + b"x" * 1000 + b"\n\n"
        try:
            while True:
                await response.write(event)
                self.sent_bytes += len(event)
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise


async def test_a_slow_reader_holds_up_the_upstream_and_no_memory() -> None:
    stand_in = Endless()
    async with stand_in.running() as url, to(url) as upstream:
        events = upstream.stream("/stream", b"{}")
        await anext(events)
        before = -1
        # What the sockets and the two ends buffer fills up, and then nothing more is sent.
        while before != stand_in.sent_bytes:
            before = stand_in.sent_bytes
            await asyncio.sleep(0.3)
        assert before < 16 << 20
        for _ in range(before // 1000 + 1000):
            await anext(events)
        assert stand_in.sent_bytes > before
        await events.aclose()  # type: ignore[attr-defined]
        await until(lambda: stand_in.left == 1)
