"""A server of ours, started for a program or a measurement and stopped after it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from radixa.core.errors import EngineUnavailable

START_SECONDS = 300.0
"""Longest wait for a server to become ready; a first start converts the model's weights."""
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Started:
    """A server that is ready."""

    url: str
    pid: int
    seconds: float
    """From starting its process to ready."""


@contextmanager
def started(
    model: str, *, sandbox: bool = False, force_miss: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """`radixa serve MODEL` on a free port of the loopback, once it is ready; stopped afterwards.

    Its database and its disk tier are temporary, so that nobody's keys and accounts are touched and nothing is warm
    when it starts; it asks for no key. `settings` are further configuration variables. EngineUnavailable, with the end
    of the server's log, where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="radixa-started-") as folder:
        log = Path(folder) / "server.log"
        port = _free_port()
        command = [sys.executable, "-P", "-m", "radixa", "serve", model, "--no-auth", "--port", str(port)]
        environment = {
            **os.environ,
            "RADIXA_SERVER_HOST": "127.0.0.1",
            "RADIXA_STORE_URL": f"sqlite:///{folder}/radixa.db",
            "RADIXA_CACHE_DISK_FOLDER": f"{folder}/kv",
            "RADIXA_CACHE_FORCE_MISS": "true" if force_miss else "false",
            **(settings or {}),
        }
        if sandbox:
            command.append("--sandbox")
        begun = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        try:
            with _terminating_as_exit():
                _wait_until_ready(process, port, log)
                yield Started(f"http://127.0.0.1:{port}", process.pid, time.monotonic() - begun)
        finally:
            _stop(process)


@contextmanager
def _terminating_as_exit() -> Iterator[None]:
    """While it lasts, SIGTERM unwinds this process like Ctrl-C does, so that the server does not outlive it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EngineUnavailable(f"the server ended while starting (exit code {process.returncode}): {_end(log)}")
        if _is_ready(port):
            return
        time.sleep(_POLL_SECONDS)
    raise EngineUnavailable(f"the server was not ready after {START_SECONDS:.0f} s: {_end(log)}")


def _is_ready(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "it printed nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it and wait; it ends its engine itself, also when it is killed."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
