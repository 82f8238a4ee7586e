"""The HTTP face against clients that are slow, silent, many or wrong, on a real server; and its way to end."""

from __future__ import annotations

import json
import re
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from radixa.core.errors import ConfigError
from radixa.core.loading import load
from radixa.gateway.open_files import connections_for
from tests.gateway.engineless import (
    answer_to,
    chat,
    connected,
    ended,
    engineless,
    figures,
    head,
    resident_mib,
    until,
    usage_rows,
)
from tests.gateway.live import Live
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

ORIGIN = "https://chat.example.org"


@pytest.fixture(scope="module")
def stand_in() -> OpenAIStandIn:
    return OpenAIStandIn("openai")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, stand_in: OpenAIStandIn) -> Iterator[Live]:
    settings = {
        "RADIXA_SERVER_IDLE_TIMEOUT_S": "1",
        "RADIXA_SERVER_WRITE_TIMEOUT_S": "1",
        "RADIXA_SERVER_MAX_HEADER_BYTES": "16384",
        "RADIXA_SERVER_CORS_ORIGINS": f"{ORIGIN}, http://localhost:3000",
    }
    with engineless(tmp_path_factory.mktemp("hardening"), stand_in, **settings) as found:
        yield found


@pytest.mark.parametrize(
    "sent",
    [
        head("GET", "/health"),
        head("GET", "/nothing"),
        head("GET", "/v1/models", authorization="Bearer wrong-key-of-somebody"),
        head("OPTIONS", "/v1/models"),
        chat("say 2"),
        chat("say 2", stream=True),
    ],
)
def test_every_answer_has_the_secure_headers(live: Live, sent: bytes) -> None:
    _, headers, _ = answer_to(live, sent)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")
    # No page of an origin that is not named may read it.
    assert "access-control-allow-origin" not in headers


def test_pages_of_named_origins_may_ask_and_read(live: Live) -> None:
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "authorization,content-type"}
    status, headers, _ = answer_to(live, head("OPTIONS", "/v1/chat/completions", origin=ORIGIN, **asked))
    assert status == 204
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert headers["access-control-allow-headers"] == "authorization,content-type"
    assert headers["access-control-max-age"] == "600"
    for sent in (head("GET", "/v1/models", origin=ORIGIN), head("GET", "/v1/nothing", origin=ORIGIN)):
        _, headers, _ = answer_to(live, sent)
        assert headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in headers["access-control-expose-headers"]
        assert headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example.org", f"{ORIGIN}.evil.org", "null", "http://localhost:3001"])
def test_pages_of_other_origins_may_not(live: Live, origin: str) -> None:
    for method in ("OPTIONS", "GET"):
        _, headers, _ = answer_to(live, head(method, "/v1/models", origin=origin, access_control_request_method="GET"))
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "headers",
    [{"x": "y" * 16_384}, {"x": "y" * 400_000}, {f"x{i}": "y" for i in range(3_000)}],
    ids=["long", "very long", "many"],
)
def test_a_head_over_the_limit_is_refused(live: Live, headers: dict[str, str]) -> None:
    status, said, body = answer_to(live, head("GET", "/health", **headers))
    assert status == 431
    assert said["connection"] == "close"
    assert "over this server's limit of 16384 bytes" in json.loads(body)["error"]["message"]


def test_a_head_within_the_limit_is_read(live: Live) -> None:
    assert answer_to(live, head("GET", "/health", x="y" * 16_000))[0] == 200
    # The body that came with it is no part of it.
    assert answer_to(live, chat("say 2 " + "y" * 60_000))[0] == 200


def test_a_head_that_never_ends_is_refused(live: Live) -> None:
    with connected(live) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nx: ")
        with suppress(ConnectionError):
            for _ in range(100):
                client.sendall(b"y" * 1_000)
                time.sleep(0.001)
        assert b" 431 " in client.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "sent",
    [b"what is this\r\n\r\n", b"GET /health HTTP/1.1\r\nbad header\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
    ids=["words", "a header", "TLS"],
)
def test_what_is_no_http_is_told_so(live: Live, sent: bytes) -> None:
    status, said, body = answer_to(live, sent)
    assert status == 400
    assert said["connection"] == "close"
    assert json.loads(body)["error"]["code"] == "invalid_http"


def test_a_body_in_no_known_coding_is_told_so(live: Live) -> None:
    sent = head("POST", "/v1/chat/completions", transfer_encoding="chunked") + b"zz\r\n{}\r\n"
    assert answer_to(live, sent)[0] == 400


def test_pipelined_requests_are_answered_in_order(live: Live) -> None:
    with connected(live) as client:
        client.sendall(chat("say 3") + head("GET", "/health") + head("GET", "/nothing") + b"nonsense\r\n\r\n")
        got = b""
        while part := client.recv(65_536):
            got += part
    assert re.findall(rb"HTTP/1\.1 (\d+)", got) == [b"200", b"200", b"404"]


def test_connections_that_send_no_request_end(live: Live) -> None:
    """Nothing at all, half of a head, one that never stops coming, and one that is idle after its answer."""
    with ExitStack() as stack:
        silent, half, dripping, idle = [stack.enter_context(connected(live)) for _ in range(4)]
        half.sendall(head("GET", "/health")[:-4])
        idle.sendall(head("GET", "/health"))
        drips = threading.Event()

        def drip() -> None:
            dripping.sendall(b"GET /health HTTP/1.1\r\nx: ")
            while not drips.wait(0.1):
                try:
                    dripping.sendall(b"y")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert [ended(one) for one in (silent, half, dripping, idle)] == [True] * 4
        finally:
            drips.set()
            thread.join()


def test_a_thousand_idle_connections_hold_up_nobody(live: Live) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            for _ in range(1000):
                stack.enter_context(connected(live))
            assert answer_to(live, chat("say 2"))[0] == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_reader_that_stops_holds_little_and_is_let_go(live: Live, stand_in: OpenAIStandIn) -> None:
    answer_to(live, chat("say 2"))
    before, left = resident_mib(live.process.pid), stand_in.left
    slow = figures(live)["radixa_slow_clients_total{}"]
    with connected(live, buffer=4096) as client:
        # More than all buffers on its way take, of which nothing is read.
        client.sendall(chat("say 150000", stream=True))
        until(lambda: figures(live)["radixa_slow_clients_total{}"] == slow + 1)
        # The upstream's answer is not read on; what was delivered is in the ledger.
        until(lambda: stand_in.left == left + 1)
        assert resident_mib(live.process.pid) - before < 16
        until(lambda: usage_rows(live)[0]["status"] == 499)
        # The connection itself is gone: after what its system had taken comes the end.
        assert ended(client)
    assert answer_to(live, chat("say 2"))[0] == 200


def test_a_slow_reader_of_one_large_answer_is_let_go(live: Live) -> None:
    slow = figures(live)["radixa_slow_clients_total{}"]
    with connected(live, buffer=4096) as client:
        client.sendall(chat("say 3000000"))
        until(lambda: figures(live)["radixa_slow_clients_total{}"] == slow + 1)
        assert ended(client)


def test_a_large_answer_arrives_whole(live: Live) -> None:
    status, headers, body = answer_to(live, chat("say 100000"))
    assert status == 200
    assert len(body) == int(headers["content-length"]) > 400_000
    assert json.loads(body)["usage"]["completion_tokens"] == 100_000


def test_requests_sent_without_reading_any_answer_end(live: Live) -> None:
    """A client that sends and sends: the server stops reading, and the system ends the connection."""
    with connected(live, buffer=4096) as client:
        client.settimeout(0.1)

        def cut_off() -> bool:
            try:
                client.send(head("GET", "/metrics") * 10)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            return False

        until(cut_off)
    assert answer_to(live, head("GET", "/health"))[0] == 200


def test_as_many_files_as_the_system_allows(live: Live) -> None:
    line = next(line for line in Path(f"/proc/{live.process.pid}/limits").read_text().splitlines() if "files" in line)
    soft, hard = line.split()[3:5]
    assert soft == hard


def test_connections_are_no_more_than_files_allow(tmp_path: Path) -> None:
    assert connections_for(4096, 1 << 20) == 4096
    assert connections_for(4096, 1024) == 384
    assert connections_for(4096, 64) == 1


@pytest.mark.slow
def test_one_connection_too_many_is_told_so_and_is_taken_when_idle_ones_end(tmp_path: Path) -> None:
    limits = {"RADIXA_SERVER_MAX_CONNECTIONS": "4", "RADIXA_SERVER_IDLE_TIMEOUT_S": "2"}
    with engineless(tmp_path, OpenAIStandIn(), **limits) as live, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connected(live))
        with connected(live) as further:
            assert b" 503 " in further.recv(4096).split(b"\r\n")[0]
            assert further.recv(1) == b""
        until(lambda: answer_to(live, head("GET", "/health"))[0] == 200)


@pytest.mark.slow
def test_the_end_lets_streams_finish_and_tells_those_that_cannot(tmp_path: Path) -> None:
    stand_in = OpenAIStandIn()
    stand_in.faults = [Fault("stall_middle", after=3)]
    stand_in.gap_s = 0.05
    with engineless(tmp_path, stand_in, RADIXA_SERVER_GRACE_S="2") as live, ExitStack() as stack:
        stuck, ends, idle = [stack.enter_context(connected(live)) for _ in range(3)]
        stuck.sendall(chat("say 9", stream=True))
        until(lambda: len(stand_in.requests) == 1)
        ends.sendall(chat("say 9", stream=True))
        until(lambda: len(stand_in.requests) == 2)
        got = [stuck.recv(4096), ends.recv(4096)]
        late = stack.enter_context(connected(live))
        live.process.send_signal(signal.SIGTERM)
        until(lambda: live.status("/ready") == 503)
        # The process answers, and says that it ends; nothing new is begun.
        idle.sendall(head("GET", "/health"))
        assert b"200 OK" in idle.recv(4096)
        late.sendall(chat("say 1"))
        refused = late.recv(4096)
        assert b" 503 " in refused.split(b"\r\n")[0]
        assert b"shutting down" in refused
        for number, client in enumerate((stuck, ends)):
            while part := client.recv(65_536):
                got[number] += part
        assert b"data: [DONE]" in got[1]
        assert b"[DONE]" not in got[0]
        # A complete event, and the proper end of the answer.
        error = got[0].split(b"data: ")[-1].partition(b"\n\n")[0]
        assert "shutting down" in json.loads(error)["error"]["message"]
        assert got[0].endswith(b"0\r\n\r\n")
        assert live.process.wait(20) == 0
    again = OpenAIStandIn()
    with engineless(tmp_path, again) as live:
        statuses = sorted(row["status"] for row in usage_rows(live))
        assert len(statuses) == 2
        assert statuses[0] == 200


@pytest.mark.slow
def test_a_reader_that_stops_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with (
        engineless(tmp_path, OpenAIStandIn(), RADIXA_SERVER_GRACE_S="1") as live,
        connected(live, buffer=4096) as client,
    ):
        client.sendall(chat("say 60000", stream=True))
        until(lambda: figures(live)["radixa_requests_running{}"] == 2)
        assert client.recv(16)
        assert live.stop() == 0


@pytest.mark.parametrize("origins", ["chat.example.org", "https://chat.example.org/", "https://a.org,javascript:x"])
def test_what_cannot_be_an_origin(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("RADIXA_SERVER_CORS_ORIGINS", origins)
    with pytest.raises(ConfigError, match="expected origins as browsers send them"):
        load()
