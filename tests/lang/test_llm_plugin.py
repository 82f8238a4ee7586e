"""The plugin under the real `llm`: its command line and its Python, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import llm
import pytest
from click.testing import CliRunner, Result
from llm.plugins import load_plugins, pm

from radixa.lang import llm_plugin
from tests.gateway.live import KEY, Live

pytestmark = pytest.mark.slow

MODEL = "radixa/smollm2"
GREEDY = ("-o", "temperature", "0", "-o", "max_tokens", "12")
SYSTEM = "You are brief. " * 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`llm`'s own, for all of these tests: it takes seconds to make its database."""
    return tmp_path_factory.mktemp("llm")


@pytest.fixture(autouse=True)
def plugged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`llm` with the plugin, and nothing in mind of what an earlier test's server offered."""
    monkeypatch.setenv("LLM_USER_PATH", str(folder))
    monkeypatch.delenv("RADIXA_API_KEY", raising=False)
    load_plugins()
    if not pm.is_registered(llm_plugin):
        pm.register(llm_plugin, "radixa")
    llm_plugin._listed.cache_clear()
    yield
    llm_plugin._listed.cache_clear()


@pytest.fixture
def server(live: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    monkeypatch.setenv("RADIXA_BASE_URL", live.url)
    monkeypatch.setenv("RADIXA_API_KEY", KEY)
    return live


def run(*words: str, given: str | None = None) -> Result:
    from llm.cli import cli

    return CliRunner().invoke(cli, list(words), input=given, catch_exceptions=False)


def said(*words: str, given: str | None = None) -> str:
    found = run(*words, given=given)
    assert found.exit_code == 0, found.output
    return found.stdout


def details(result: Result) -> dict[str, Any]:
    """What `-u` prints after the counts."""
    return dict(json.loads(result.stderr[result.stderr.index("{") : result.stderr.rindex("}") + 1]))


def test_the_models_are_there(server: Live) -> None:
    listed = said("radixa", "models").splitlines()
    assert listed[0] == MODEL
    assert "radixa/wordllama-l2-supercat-256 (embeddings)" in listed
    assert f"Radixa: {MODEL}" in said("models")
    assert "radixa/wordllama" not in said("models")
    assert "radixa/wordllama-l2-supercat-256" in said("embed-models")
    assert "cache_ttl_seconds" in said("models", "--options", "-m", MODEL)


def test_an_answer_and_what_it_used(server: Live) -> None:
    asked = ("-m", MODEL, "-s", f"{SYSTEM}llm", "-u", *GREEDY, "What is the capital of France?")
    first, second = run(*asked), run(*asked, "--no-stream", "--async")
    assert "Paris" in first.stdout
    assert first.stdout == second.stdout
    before, after = details(first), details(second)
    assert (before["cached_tokens"], before["cost_usd"], before["served_by"]) == (0, 0, "smollm2")
    assert after["cached_tokens"] > 40
    (row,) = json.loads(said("logs", "--json", "-n", "1"))
    assert json.loads(row["token_details"]) == after


def test_wishes_reach_the_server(server: Live) -> None:
    asked = ("-m", MODEL, "-s", f"{SYSTEM}wishes", "-u", *GREEDY, "-o", "prompt_cache", "0", "Hello")
    found = [details(run(*asked)) for _ in range(2)]
    assert [(each["cached_tokens"], each["cache_write_tokens"]) for each in found] == [(0, 0), (0, 0)]
    refused = run("-m", MODEL, "-o", "cache_ttl_seconds", "90000", "Hello")
    assert refused.exit_code == 1
    assert "cache_ttl_seconds" in refused.output


def test_a_conversation_reuses_its_own_words(server: Live) -> None:
    said("-m", MODEL, "-s", f"{SYSTEM}talk", *GREEDY, "What is the capital of France?")
    more = run("-c", "-u", *GREEDY, "And of Spain?")
    assert more.exit_code == 0, more.output
    assert details(more)["cached_tokens"] > 50


def test_a_schema_holds(server: Live) -> None:
    team = {"team": {"enum": ["billing", "other"]}}
    schema = {"type": "object", "properties": team, "required": ["team"], "additionalProperties": False}
    found = said("-m", MODEL, "--schema", json.dumps(schema), "-o", "max_tokens", "30", "I was charged twice.")
    assert json.loads(found)["team"] in ("billing", "other")


async def test_from_python(server: Live) -> None:
    model = llm.get_async_model(MODEL)
    response = model.prompt("What is the capital of France?", temperature=0, max_tokens=12)
    pieces = [piece async for piece in response]
    assert len(pieces) > 3
    assert "Paris" in "".join(pieces)
    usage = await response.usage()
    assert usage.output <= 12
    assert "cached_tokens" in usage.details


def test_vectors(server: Live) -> None:
    vector = json.loads(said("embed", "-m", "radixa/wordllama-l2-supercat-256", "-c", "a text"))
    assert len(vector) == 256
    assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-5)


def test_a_key_that_llm_keeps(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    monkeypatch.setenv("RADIXA_BASE_URL", f"{live.url}/v1")
    without = run("radixa", "models")
    assert without.exit_code == 1
    assert "answered 401" in without.output
    assert "llm keys set radixa" in without.output
    assert MODEL not in said("models")
    said("keys", "set", "radixa", "--value", KEY)
    assert said("-m", MODEL, "--no-log", *GREEDY, "Hello").strip()


class Once(BaseHTTPRequestHandler):
    """A server that offers one model, for as long as it is there."""

    body = json.dumps({"data": [{"id": "brief", "radixa": {"provider": "radixa", "served_by": "brief"}}]}).encode()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data": 1}', b'{"data": [1]}', b'{"data": [{}]}', b"<p>", b"\xff"])
def test_another_server_at_that_address(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(Once, "body", body)
    with HTTPServer(("127.0.0.1", 0), Once) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("RADIXA_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        told = run("radixa", "models")
        assert (told.exit_code, "gives no list of models" in told.output) == (1, True)
        assert "radixa/" not in said("models")
        server.shutdown()
        thread.join()


def test_a_broken_memory_of_models_is_written_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_BASE_URL", "http://127.0.0.1:1")
    file = folder / "radixa-models.json"
    for text in ("{", "[]", '{"http://127.0.0.1:1": [[["brief"]], true]}'):
        file.write_text(text)
        assert "radixa/" not in said("models")
    file.unlink()


def test_a_server_that_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), Once) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("RADIXA_BASE_URL", url)
        assert said("radixa", "models") == "radixa/brief\n"
        assert "radixa/brief" in said("models")
        server.shutdown()
        thread.join()
    llm_plugin._listed.cache_clear()
    assert "radixa/brief" in said("models")
    assert "Connection error" in run("-m", "radixa/brief", "--no-log", "Hello").output
    told = run("radixa", "models")
    assert (told.exit_code, f"no server answers at {url}" in told.output) == (1, True)
    monkeypatch.setenv("RADIXA_BASE_URL", "http://127.0.0.1:1")
    assert "radixa/" not in said("models")
    monkeypatch.setenv("RADIXA_BASE_URL", "no address")
    assert "radixa/" not in said("models")
    assert "is no address of a server" in run("radixa", "models").output
