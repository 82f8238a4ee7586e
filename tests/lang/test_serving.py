"""A server is started, waited for and stopped, whatever happens in between; a script stands in for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from radixa.core.errors import EngineUnavailable
from radixa.lang import serving as server

PYTHON = sys.executable
SCRIPT = """\
#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
    def log_message(self, *arguments):
        pass

names = ("RADIXA_CACHE_FORCE_MISS", "RADIXA_STORE_URL", "RADIXA_SERVER_HOST", "RADIXA_ENGINE_DTYPE")
given = dict(arguments=sys.argv[1:], environment={{name: os.environ.get(name) for name in names}}, pid=os.getpid())
open({report!r}, "w").write(json.dumps(given))
{first}
HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make(tmp_path, monkeypatch, "")


def make(folder: Path, monkeypatch: pytest.MonkeyPatch, first: str) -> Path:
    """Run instead of Python; writes what it was given to the returned file."""
    script, report = folder / "python", folder / "given.json"
    script.write_text(SCRIPT.format(python=PYTHON, report=str(report), first=first))
    script.chmod(0o755)
    monkeypatch.setattr(server.sys, "executable", str(script))
    return report


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_ready_and_then_gone(stand_in: Path) -> None:
    with server.started("m", sandbox=True, force_miss=True, settings={"RADIXA_ENGINE_DTYPE": "float32"}) as found:
        assert server._is_ready(int(found.url.rsplit(":", 1)[1]))
        assert alive(found.pid)
        assert found.seconds > 0
    assert not alive(found.pid)
    given = json.loads(stand_in.read_text())
    assert given["arguments"][:5] == ["-P", "-m", "radixa", "serve", "m"]
    assert {"--no-auth", "--sandbox"} <= set(given["arguments"])
    environment = given["environment"]
    assert environment["RADIXA_CACHE_FORCE_MISS"] == "true"
    assert environment["RADIXA_SERVER_HOST"] == "127.0.0.1"
    assert environment["RADIXA_ENGINE_DTYPE"] == "float32"
    assert environment["RADIXA_STORE_URL"].startswith("sqlite:///")
    assert not Path(environment["RADIXA_STORE_URL"].removeprefix("sqlite:///")).parent.exists()


def test_it_is_stopped_when_the_work_fails(stand_in: Path) -> None:
    with pytest.raises(KeyboardInterrupt), server.started("m") as found:
        raise KeyboardInterrupt
    assert not alive(found.pid)


def test_one_that_ends_while_starting_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, monkeypatch, "print('radixa: no such model'); sys.exit(3)")
    with pytest.raises(EngineUnavailable) as failure, server.started("m"):
        pass
    assert failure.value.message == "the server ended while starting (exit code 3): radixa: no such model"


def test_one_that_never_gets_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_SECONDS", 0.5)
    report = make(tmp_path, monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(EngineUnavailable, match="not ready after 0 s: it printed nothing"), server.started("m"):
        pass
    assert not alive(json.loads(report.read_text())["pid"])


def test_one_that_ignores_the_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_STOP_SECONDS", 0.2)
    make(tmp_path, monkeypatch, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with server.started("m") as found:
        pass
    assert not alive(found.pid)


def test_sigterm_stops_it_too(stand_in: Path, tmp_path: Path) -> None:
    """In a process of its own, which is told to end in the middle of the work."""
    ready = tmp_path / "ready"
    code = f"""
        import sys, time
        from pathlib import Path
        from radixa.lang import serving as server
        server.sys.executable = {str(tmp_path / "python")!r}
        with server.started("m") as found:
            Path({str(ready)!r}).write_text(str(found.pid))
            time.sleep(60)
    """
    worker = subprocess.Popen([PYTHON, "-c", textwrap.dedent(code)])
    deadline = time.monotonic() + 30
    while not (ready.exists() and ready.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(ready.read_text())
    assert alive(pid)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 128 + signal.SIGTERM
    assert not alive(pid)
