"""A real `radixa serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from anthropic import Anthropic
    from openai import OpenAI

KEY = "rx-key-of-the-tests-0123456789"
START_S = 110


class Clients(NamedTuple):
    """Two SDKs over one server, with the administrator's key."""

    openai: OpenAI
    anthropic: Anthropic


@dataclass
class Live:
    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8")

    def status(self, path: str) -> int:
        """The status of a GET, 0 where nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return int(error.code)
        except OSError:
            return 0

    def wait_ready(self) -> None:
        until = time.monotonic() + START_S
        while self.status("/ready") != 200:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < until, self.output
            time.sleep(0.05)

    def engine_pids(self) -> list[int]:
        """The server's child processes that are Python: its engine."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
        return [int(pid) for pid, command in lines if "radixa.engine.process" in command]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def serving(folder: Path, *options: str, wait: bool = True, **settings: str) -> Iterator[Live]:
    """`radixa serve smollm2 --port 0` with a database in `folder`; `settings` are environment variables."""
    log = folder / "server.log"
    environment = {
        **os.environ,
        "RADIXA_STORE_URL": f"sqlite:///{folder}/radixa.db",
        "RADIXA_CACHE_DISK_FOLDER": f"{folder}/kv",
        "RADIXA_API_KEY": KEY,
        "RADIXA_ENGINE_DTYPE": "float32",
        "RADIXA_ENGINE_KV_TOKENS": "16384",
        # One thread: two would wait for each other whenever something else runs on this machine.
        "RADIXA_ENGINE_THREADS": "1",
        # What runs when a test ends is no longer wanted.
        "RADIXA_SERVER_GRACE_S": "5",
        "COLUMNS": "200",
        **settings,
    }
    command = [sys.executable, "-m", "radixa", "serve", "smollm2", "--port", "0", *options]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, text=True
        )
    live = Live(process, "", log)
    try:
        until = time.monotonic() + START_S
        while not (found := re.search(r"listens at (http://\S+)", live.output)):
            assert process.poll() is None, live.output
            assert time.monotonic() < until, live.output
            time.sleep(0.05)
        live.url = found[1]
        if wait:
            live.wait_ready()
        yield live
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
