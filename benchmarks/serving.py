"""A gateway before an upstream of its own, in processes of their own, and a client that costs next to nothing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

KEY = "rx-key-of-the-benchmarks-0123456789"
START_S = 60

CONFIG = """
[engine]
enabled = false

[providers.mock]
kind = "openai-compatible"
base_url = "http://127.0.0.1:{port}/v1"

[[models]]
id = "mock"
provider = "mock"
prices = [{{ input = 2.0, cached_input = 0.5, output = 8.0 }}]
rpm = 100000000
tpm = 2000000000
concurrency = 1000
"""
"""Limits that are counted and never reached."""


@dataclass
class Process:
    """A server: `url` without a path."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cpu_s(self) -> float:
        """Seconds of all its threads, in user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Of the server's process alone."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1000


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def listening(program: str, *options: str) -> Iterator[int]:
    """The port of `program`, a file beside this one that takes its port first."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name(program)), str(port), *options])
    try:
        until = time.monotonic() + START_S
        while not reachable(port):
            assert process.poll() is None, f"{program} ended"
            assert time.monotonic() < until, f"{program} did not start"
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


def upstream() -> AbstractContextManager[int]:
    """The port of an upstream that answers at once."""
    return listening("upstream.py")


def start_gateway(folder: Path, upstream_port: int) -> Process:
    """`radixa serve` without an engine, with everything else on; its state lies in `folder`."""
    config = folder / "radixa.toml"
    config.write_text(CONFIG.format(port=upstream_port))
    log = folder / "server.log"
    environment = {**os.environ, "RADIXA_HOME": str(folder), "RADIXA_API_KEY": KEY, "COLUMNS": "200"}
    command = [sys.executable, "-m", "radixa", "serve", "--port", "0", "--config", str(config)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, text=True)
    until = time.monotonic() + START_S
    while not (found := re.search(r"listens at (http://\S+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)
    return Process(process, found[1], log)


def request_bytes(host: str, path: str, body: bytes, key: str = KEY) -> bytes:
    """A whole HTTP/1.1 request."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection that sends a request and waits for its answer, again and again."""

    def __init__(self) -> None:
        self._buffer = b""
        self._done: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self.first_at = 0.0
        """When the answer's first piece of text came, by time.perf_counter."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    async def ask(self, request: bytes) -> bytes:
        """The whole answer, head and body. ConnectionError where it breaks off."""
        assert self._transport is not None
        self._buffer = b""
        self.first_at = 0.0
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._done

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.first_at and b'"content":"w' in self._buffer:
            self.first_at = time.perf_counter()
        if self._complete() and self._done is not None and not self._done.done():
            self._done.set_result(self._buffer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("the server closed the connection"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _complete(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        if b"transfer-encoding: chunked" in head:
            return self._buffer.endswith(b"0\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        return length is not None and len(self._buffer) >= end + 4 + int(length[1])


async def connect(url: str) -> Connection:
    host, _, port = url.removeprefix("http://").partition(":")
    _, found = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
    return found
