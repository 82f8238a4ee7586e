"""The server's log: a line for each request, the request's id in every line, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from radixa.core.config import LogConfig
from radixa.gateway.logs import LINES, REQUEST_ID, JsonLines, TextLines, access_log, no_access_log
from radixa.gateway.request import Request
from tests.gateway.engineless import MODEL, UPSTREAM_KEY, answer_to, chat, engineless, head, until
from tests.gateway.live import KEY, Live
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

PROMPT = "the-prompt-that-nobody-may-see"
WRONG = "rx-somebody-elses-key-0987654321"


def everything(live: Live, stand_in: OpenAIStandIn) -> list[str]:
    """Requests of every kind, well and failing; the ids of their answers."""
    stand_in.faults = [
        Fault("status", 401, body=f'{{"error": {{"message": "Incorrect API key: {UPSTREAM_KEY}"}}}}'.encode()),
        Fault("status", 500, body=f"no JSON, but {UPSTREAM_KEY} and {PROMPT}".encode()),
        Fault("cut"),
        Fault("malformed", after=2),
    ]
    sent = [chat(PROMPT, stream=stream) for stream in (False, False, True, False, True)]
    sent += [
        head("GET", "/v1/models", authorization=f"Bearer {WRONG}"),
        head("GET", f"/v1/usage?api_key={WRONG}&limit=x"),
        head("GET", f"/nothing/{WRONG}%0d%0aINFO%20forged", cookie=WRONG),
        head("GET", "/v1/models", x_api_key=WRONG),
        head("POST", "/v1/chat/completions", content_length="9") + b'{"model":',
    ]
    return [answer_to(live, one)[1]["x-request-id"] for one in sent]


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_ever_written(tmp_path: Path, form: str) -> None:
    stand_in = OpenAIStandIn()
    with engineless(tmp_path, stand_in, RADIXA_LOG_FORMAT=form, RADIXA_LOG_LEVEL="debug") as live:
        ids = everything(live, stand_in)
        until(lambda: all(name in live.output for name in ids))
        live.stop()
        output = live.output
    assert len(stand_in.requests) >= 5
    for secret in (KEY, UPSTREAM_KEY, WRONG, PROMPT, "forged"):
        assert secret not in output, form
    assert "Traceback" not in output


def test_json_is_an_object_a_line(tmp_path: Path) -> None:
    stand_in = OpenAIStandIn()
    with engineless(tmp_path, stand_in, RADIXA_LOG_FORMAT="json") as live:
        _, headers, _ = answer_to(live, chat("say 4", stream=True))
        stand_in.faults = [Fault("status", 500)]
        _, retried, _ = answer_to(live, chat("say 4"))
        _, unknown, _ = answer_to(live, head("GET", "/v1/nothing"))
        until(lambda: unknown["x-request-id"] in live.output)
        lines = [json.loads(line) for line in live.output.splitlines() if line.startswith("{")]
    access = {line["request_id"]: line for line in lines if line["logger"] == "radixa.access"}
    line = access[headers["x-request-id"]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert (line["level"], line["method"], line["route"], line["status"]) == (
        "info",
        "POST",
        "/v1/chat/completions",
        200,
    )
    assert (line["model"], line["served_by"], line["provider"]) == (MODEL, MODEL, "house")
    assert (line["cached_tokens"], line["completion_tokens"]) == (0, 4)
    # 1 $ and 2 $ a million tokens.
    assert line["cost_nano_usd"] == 1000 * line["prompt_tokens"] + 2000 * 4
    assert line["key_id"].startswith("key_")
    assert line["account_id"].startswith("acct_")
    assert 0 < line["ttft_ms"] <= line["duration_ms"]
    # What went wrong on the way has the same id.
    (warning,) = [line for line in lines if line["level"] == "warning"]
    assert warning["logger"] == "radixa.providers"
    assert warning["request_id"] == retried["x-request-id"]
    assert "try 1 failed" in warning["message"]
    other = access[unknown["x-request-id"]]
    assert (other["route"], other["status"]) == ("unknown", 404)
    assert "model" not in other
    assert "cost_nano_usd" not in other


def test_the_level_warning_has_no_line_for_each_request(tmp_path: Path) -> None:
    with engineless(tmp_path, OpenAIStandIn(), RADIXA_LOG_LEVEL="warning") as live:
        _, headers, _ = answer_to(live, chat("say 2"))
        assert live.stop() == 0
        assert headers["x-request-id"] not in live.output
    assert access_log(LogConfig(level="error")) is no_access_log


def record(message: str, *args: Any, failure: bool = False) -> logging.LogRecord:
    found = None
    if failure:
        try:
            raise ValueError("what it was")
        except ValueError:
            found = sys.exc_info()
    return logging.LogRecord("radixa.gateway", logging.ERROR, __file__, 1, message, args, found)


def test_a_message_is_one_line_whatever_is_in_it() -> None:
    token = REQUEST_ID.set("req_1")
    try:
        text = TextLines().format(record("a path: %s", "/x\n2026-01-01 INFO all is well\x1b[31m"))
        assert len(text.splitlines()) == 1
        assert "\x1b" not in text
        assert " ERROR radixa.gateway req_1 a path: /x\\x0a2026" in text
        whole = json.loads(JsonLines().format(record("it failed", failure=True)))
        assert (whole["request_id"], whole["message"], whole["level"]) == ("req_1", "it failed", "error")
        assert "ValueError: what it was" in whole["exception"]
    finally:
        REQUEST_ID.reset(token)
    assert "req_1" not in TextLines().format(record("later"))
    assert TextLines().format(record("it failed", failure=True)).endswith("ValueError: what it was")


async def test_a_line_is_written_even_where_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request does not fail for its line."""

    async def nothing() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    request = Request({"method": "GET\n" * 10, "path": "/", "headers": []}, nothing, 1.0)
    monkeypatch.setattr("radixa.gateway.logs._STDERR", 1 << 20)
    for _ in range(100):
        access_log(LogConfig())(request, "/health", 200, time.perf_counter() - request.started)
    LINES.flush()


async def test_lines_of_a_moment_come_whole_and_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    async def nothing() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    requests = [Request({"method": "GET", "path": "/", "headers": []}, nothing, 1.0) for _ in range(100)]
    for request in requests:
        access_log(LogConfig(format="json"))(request, "/health", 200, 0.5)
    LINES.flush()
    lines = capfd.readouterr().err.splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == [request.id for request in requests]
