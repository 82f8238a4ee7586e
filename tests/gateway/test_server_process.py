"""The server as a process: its first start, its signals, an engine that is killed, and starts that cannot succeed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from radixa.models.base import ModelFolder
from tests.gateway.live import KEY, Live, serving

LONG = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 4000, "ignore_eos": True}


def post(live: Live, body: dict[str, Any], key: str = KEY) -> Any:
    """An answer being read."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{live.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=60)


class Reader(threading.Thread):
    """Reads a stream to its end beside the test."""

    def __init__(self, live: Live) -> None:
        super().__init__(daemon=True)
        self.answer = post(live, {**LONG, "stream": True})
        self.lines: list[str] = []
        self.begun = threading.Event()
        self.start()

    def run(self) -> None:
        with self.answer:
            for line in self.answer:
                if line.strip():
                    self.lines.append(line.decode().strip())
                    self.begun.set()


@pytest.mark.slow
def test_an_engine_that_is_killed_is_started_again(smollm2: ModelFolder, tmp_path: Path) -> None:
    with serving(tmp_path) as live:
        reader = Reader(live)
        assert reader.begun.wait(30)
        (engine,) = live.engine_pids()
        os.kill(engine, signal.SIGKILL)
        reader.join(30)
        error = json.loads(reader.lines[-1].removeprefix("data: "))["error"]
        assert error["type"] == "service_unavailable_error"
        assert "started again" in error["message"]
        live.wait_ready()
        assert live.engine_pids() != [engine]
        with post(live, {"messages": LONG["messages"], "max_tokens": 2}) as answer:
            assert json.load(answer)["usage"]["completion_tokens"] == 2

        # The signal to stop, in the middle of a stream: it ends with an error that says why, and soon.
        reader = Reader(live)
        assert reader.begun.wait(30)
        (engine,) = live.engine_pids()
        assert live.stop() == 0
        reader.join(10)
        last = json.loads(reader.lines[-1].removeprefix("data: "))
        assert "shutting down" in last["error"]["message"]
        assert "Traceback" not in live.output
        assert not Path(f"/proc/{engine}").exists()


def test_a_first_start_prints_a_key_that_works_and_ctrl_c_ends_it(smollm2: ModelFolder, tmp_path: Path) -> None:
    with serving(tmp_path, wait=False, RADIXA_API_KEY="") as live:
        assert live.status("/health") == 200
        assert live.status("/v1/models") == 401
        key = re.search(r"rx-[\w-]{32}", live.output)
        assert key is not None
        live.wait_ready()
        while "is ready" not in live.output:
            time.sleep(0.02)
        # Shown once; what follows it has the variable.
        assert live.output.count(key[0]) == 1
        assert "Bearer $RADIXA_API_KEY" in live.output
        with post(live, {"messages": LONG["messages"], "max_tokens": 1}, key[0]) as answer:
            assert answer.status == 200
        live.process.send_signal(signal.SIGINT)
        assert live.process.wait(20) == 0
        assert "Traceback" not in live.output
    with serving(tmp_path, wait=False, RADIXA_API_KEY="") as again:
        assert "rx-" not in again.output
        # Stopped while it is still loading.
        assert again.stop() == 0
        assert "Traceback" not in again.output


def start(*options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A start that should fail: it must do so by itself."""
    return subprocess.run(
        [sys.executable, "-m", "radixa", "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **settings},
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        done = start("--port", port, RADIXA_STORE_URL=f"sqlite:///{tmp_path}/radixa.db")
    assert f"port {port} on 127.0.0.1 is in use" in one_line(done)
    # Nothing was begun.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "settings", "says"),
    [
        (["--no-auth", "--host", "0.0.0.0"], {}, "--no-auth on 0.0.0.0: refused"),
        (["nothing-like-it"], {}, "no model 'nothing-like-it'"),
        (["hf:nothing"], {}, "'hf:nothing' names no repository"),
        ([__file__], {}, "test_server_process.py is not a readable GGUF file"),
        ([str(Path(__file__).parent)], {}, "config.json"),
        ([], {"RADIXA_STORE_URL": "mysterious"}, "store.url = 'mysterious'"),
        ([], {"RADIXA_API_KEY": "short"}, "RADIXA_API_KEY: 5 characters can be guessed"),
        ([], {"RADIXA_API_KEY": "two words"}, "RADIXA_API_KEY: expected printable ASCII"),
        (["--sandbox"], {"RADIXA_ENGINE_ENABLED": "false"}, "server.sandbox: the embedded engine is to answer"),
    ],
)
def test_starts_that_cannot_succeed(tmp_path: Path, options: list[str], settings: dict[str, str], says: str) -> None:
    store = {"RADIXA_STORE_URL": f"sqlite:///{tmp_path}/radixa.db"}
    done = start("--port", "0", *options, **{**store, **settings})
    assert says in one_line(done)
    # Nothing is promised, and no key made that nobody could see.
    assert done.stdout == ""


def test_a_key_in_the_environment_that_opens_nothing_is_said(smollm2: ModelFolder, tmp_path: Path) -> None:
    with serving(tmp_path, wait=False) as live:
        assert "warning" not in live.output
    with serving(tmp_path, wait=False, RADIXA_API_KEY="rx-another-key-of-sixteen") as live:
        assert live.output.count("warning: RADIXA_API_KEY is none of this server's keys") == 1
        assert "rx-another-key-of-sixteen" not in live.output


@pytest.mark.slow
def test_a_pool_so_small_that_requests_must_retract(smollm2: ModelFolder, tmp_path: Path) -> None:
    def ask(live: Live, number: int) -> tuple[str, dict[str, Any]]:
        messages = [{"role": "user", "content": f"Count from {number} upwards."}]
        body = {"messages": messages, "max_tokens": 40, "ignore_eos": True, "temperature": 0}
        with post(live, body) as answer:
            found = json.load(answer)
        return found["choices"][0]["message"]["content"], found["usage"]

    with serving(tmp_path, RADIXA_ENGINE_KV_TOKENS="220") as live:
        with ThreadPoolExecutor(8) as threads:
            crowded = list(threads.map(lambda number: ask(live, number), range(8)))
        with urllib.request.urlopen(f"{live.url}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        retractions = float(metrics.split("\nradixa_engine_retractions_total ")[1].split()[0])
        assert retractions > 0
        alone = [ask(live, number) for number in range(8)]
    # Whoever had to wait, and whatever was computed twice: the same words, all of them, and a bill that adds up.
    assert [text for text, _ in crowded] == [text for text, _ in alone]
    for _, usage in crowded:
        details = usage["prompt_tokens_details"]
        assert usage["completion_tokens"] == 40
        assert details["cached_tokens"] + details["cache_write_tokens"] <= usage["prompt_tokens"]


@pytest.mark.slow
def test_a_database_that_hangs_does_not_keep_a_process_alive(postgres_schema: str, tmp_path: Path) -> None:
    settings = {"RADIXA_STORE_URL": postgres_schema, "RADIXA_ENGINE_ENABLED": "false", "RADIXA_SERVER_GRACE_S": "1"}
    with serving(tmp_path, wait=False, **settings) as live:
        live.wait_ready()
        engine = create_engine(make_url(postgres_schema).set(drivername="postgresql+psycopg"))
        with engine.connect() as connection:
            connection.execute(text("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"))
            request = urllib.request.Request(f"{live.url}/v1/accounts", headers={"authorization": f"Bearer {KEY}"})
            hanging = threading.Thread(target=lambda: _ended(request), daemon=True)
            hanging.start()
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            while not connection.execute(waiting).scalar_one():
                time.sleep(0.05)
                connection.execute(text("SELECT pg_stat_clear_snapshot()"))
            assert live.stop() == 1
        engine.dispose()
        hanging.join(10)
        assert "threads still wait" in live.output


def _ended(request: urllib.request.Request) -> None:
    """Waits for an answer, or for its connection to end."""
    with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
