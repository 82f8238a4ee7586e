from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Radixa


def test_where_every_value_came_from(radixa: Radixa, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("radixa.toml").write_text("[engine]\ndtype = 'float32'\nmax_running = 3\n")
    monkeypatch.setenv("RADIXA_ENGINE_MAX_RUNNING", "5")
    found = json.loads(radixa("config", "show", "--json").out)
    values = found["values"]
    assert values["engine.dtype"] == {"value": "float32", "from": "radixa.toml"}
    assert values["engine.max_running"] == {"value": 5, "from": "RADIXA_ENGINE_MAX_RUNNING"}
    assert values["server.port"] == {"value": 8000, "from": "default"}
    assert found["folders"]["models"] == str(home / "models")

    lines = {line.split()[0]: line.split()[1:] for line in radixa("config", "show").out.splitlines()}
    assert lines["engine.dtype"] == ["float32", "radixa.toml"]
    assert lines["server.sandbox"] == ["false", "default"]


def test_a_wrong_value_is_named(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_SERVER_PORT", "many")
    found = radixa("config", "show")
    assert found.code == 1
    assert "server.port = 'many' (RADIXA_SERVER_PORT)" in found.err


def test_what_serve_would_refuse_is_refused(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, says in [
        ("RADIXA_STORE_URL", "nope", "store.url = 'nope' (RADIXA_STORE_URL): expected a URL"),
        ("RADIXA_SERVR_PORT", "80", "RADIXA_SERVR_PORT: no such setting; did you mean RADIXA_SERVER_PORT"),
        ("RADIXA_ENGINE_THREADS", "100000", "engine.threads = '100000'"),
    ]:
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            found = radixa("config", "show")
        assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
        assert says in found.err


def test_a_password_is_not_shown(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_STORE_URL", "postgresql://me:s3cret@host/db")
    for options in ([], ["--json"]):
        found = radixa("config", "show", *options).out
        assert "s3cret" not in found
        assert "postgresql://me:***@host/db" in found
