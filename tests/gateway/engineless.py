"""A real `radixa serve` without an engine, before a stand-in for an upstream; and clients as raw as sockets are."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.live import KEY, Live, serving
from tests.upstreams.openai import OpenAIStandIn

UPSTREAM_KEY = "sk-upstream-secret-0123456789abcdef"
MODEL = "house-model"


@contextmanager
def engineless(folder: Path, stand_in: OpenAIStandIn, *, toml: str = "", **settings: str) -> Iterator[Live]:
    """It offers `house-model`, answered by `stand_in` at a price."""
    with stand_in.in_thread() as url:
        file = folder / "radixa.toml"
        file.write_text(
            f'[providers.house]\nkind = "openai-compatible"\nbase_url = "{url}/v1"\napi_key_env = "HOUSE_KEY"\n'
            f'[[models]]\nid = "{MODEL}"\nprovider = "house"\n'
            f"prices = [{{input = 1.0, cached_input = 0.1, output = 2.0}}]\n{toml}"
        )
        options = {"RADIXA_ENGINE_ENABLED": "false", "HOUSE_KEY": UPSTREAM_KEY, "RADIXA_HOME": str(folder / "home")}
        with serving(folder, "--config", str(file), **{**options, **settings}) as live:
            yield live


def chat(content: str, **fields: Any) -> bytes:
    """A request for an answer, as it goes over the wire."""
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}).encode()
    return head("POST", "/v1/chat/completions", content_length=str(len(body))) + body


def head(method: str, path: str, **headers: str) -> bytes:
    lines = {"host": "test", "authorization": f"Bearer {KEY}", "content-type": "application/json"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    said = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{said}\r\n".encode()


def connected(live: Live, *, buffer: int | None = None) -> socket.socket:
    """`buffer`: bytes that the system keeps for a client that does not read."""
    found = socket.socket()
    if buffer is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    found.settimeout(20)
    host, port = live.url.removeprefix("http://").split(":")
    found.connect((host, int(port)))
    return found


def answer_to(live: Live, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request, on a connection of its own."""
    with connected(live) as client:
        client.sendall(sent)
        got = b""
        while b"\r\n\r\n" not in got:
            got += _more(client, got)
        begun, _, body = got.partition(b"\r\n\r\n")
        lines = begun.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += _more(client, body)
        while headers.get("transfer-encoding") == "chunked" and not body.endswith(b"0\r\n\r\n"):
            body += _more(client, body)
    return int(lines[0].split()[1]), headers, body


def _more(client: socket.socket, so_far: bytes) -> bytes:
    part = client.recv(65_536)
    assert part, f"the connection ended after {so_far[-300:]!r}"
    return part


def ended(client: socket.socket) -> bool:
    """Whether the other end closes the connection before the client's time-out."""
    try:
        while client.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def figures(live: Live) -> dict[str, float]:
    """Every sample of `/metrics` by its name and labels."""
    _, _, body = answer_to(live, head("GET", "/metrics"))
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until it holds. AssertionError where it does not in time."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.02)


def usage_rows(live: Live) -> list[dict[str, Any]]:
    """The ledger, newest first."""
    _, _, body = answer_to(live, head("GET", "/v1/usage"))
    return list(json.loads(body)["data"])


def resident_mib(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
