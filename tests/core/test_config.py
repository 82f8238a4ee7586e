"""Settings: what cannot be is one line that names it and says what can, and no variable is overheard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from radixa.core.config import Config
from radixa.core.errors import ConfigError
from radixa.core.loading import SECTIONS, load
from radixa.core.variables import WITHOUT_SETTING, variable_of


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(environ=environ)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("RADIXA_SERVER_AUTH", "off", "server.auth = 'off' (RADIXA_SERVER_AUTH): expected true or false"),
        ("RADIXA_SERVER_PORT", "many", "expected a whole number from 0 to 65535"),
        ("RADIXA_SERVER_PORT", "70000", "expected a whole number from 0 to 65535"),
        ("RADIXA_SERVER_BODY_TIMEOUT_S", "0", "expected a number above 0 up to 86400"),
        ("RADIXA_SERVER_BODY_TIMEOUT_S", "nan", "expected a number above 0 up to 86400"),
        ("RADIXA_ENGINE_DTYPE", "float8", "expected 'auto', 'bfloat16' or 'float32'"),
        ("RADIXA_ENGINE_DEVICE", "tpu", "expected 'auto', 'cpu' or 'cuda'"),
        ("RADIXA_CACHE_DEFAULT", "on", "expected 'auto' or 'opt-in'"),
        ("RADIXA_ENGINE_KV_TOKENS", "9" * 20, "expected a whole number from 0 to 2147483647"),
        ("RADIXA_ENGINE_KV_TOKENS", "-1", "expected a whole number from 0 to 2147483647"),
        ("RADIXA_ENGINE_KV_BYTES", "9" * 20, "expected a whole number from 0 to 1125899906842624"),
        ("RADIXA_ENGINE_THREADS", "100000", "expected a whole number from 0 to 1024"),
        ("RADIXA_ENGINE_MAX_RUNNING", "9" * 12, "expected a whole number from 0 to 2147483647"),
        ("RADIXA_STORE_URL", "nope", "store.url = 'nope' (RADIXA_STORE_URL): expected a URL such as sqlite:///"),
    ],
)
def test_what_cannot_be_says_what_can(variable: str, value: str, says: str) -> None:
    message = refusal(**{variable: value})
    assert says in message
    assert variable in message


@pytest.mark.parametrize("section", SECTIONS)
def test_every_number_has_an_end(section: str) -> None:
    """No setting takes a number that the engine's messages, its memory or the system could not."""
    for name, value in ((name, getattr(getattr(Config(), section), name)) for name in _fields(section)):
        if isinstance(value, int) and not isinstance(value, bool):
            assert "expected a whole number" in refusal(**{variable_of(section, name): str(10**19)}), name


def test_every_default_may_be_written_out(tmp_path: Path) -> None:
    environ = {variable_of(*name.split(".")): str(value) for name, value, _ in load(environ={}).rows()}
    assert load(environ=environ).config == Config()


def _fields(section: str) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(Config(), section).__struct_fields__
    return found


def test_threads_are_some_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    assert load(environ={"RADIXA_ENGINE_THREADS": "8"}).config.engine.threads == 8
    assert "expected a whole number from 0 to 8, 4 for each core" in refusal(RADIXA_ENGINE_THREADS="9")


def test_a_file_is_held_to_the_same(tmp_path: Path) -> None:
    for text, says in [
        ("[server]\nport = '8000'", "server.port = '8000'"),
        ("[engine]\ndtype = 'half'", "expected 'auto', 'bfloat16' or 'float32'"),
        ("[store]\nurl = 'postgresql//me:s3cret@host/db'", "store.url = 'postgresql//me:***@host/db'"),
        ("[engine]\nthreads = 'x'", "expected a whole number from 0 to 1024"),
    ]:
        file = tmp_path / "radixa.toml"
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(file, environ={})
        assert says in caught.value.message
        assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RADIXA_SERVR_PORT", "RADIXA_SERVER_PORT"),
        ("RADIXA_SERVER_PROT", "RADIXA_SERVER_PORT"),
        ("RADIXA_ENGINE_KV_TOKEN", "RADIXA_ENGINE_KV_TOKENS"),
        ("RADIXA_PORT", "RADIXA_SERVER_PORT"),
        ("RADIXA_DTYPE", "RADIXA_ENGINE_DTYPE"),
        ("RADIXA_APIKEY", "RADIXA_API_KEY"),
        ("RADIXA_HOMES", "RADIXA_HOME"),
        ("RADIXA_ENGINE_FOO", "RADIXA_ENGINE_"),
    ],
)
def test_a_misspelled_variable_is_an_error(name: str, meant: str) -> None:
    assert f"{name}: no such setting; did you mean {meant}" in refusal(**{name: "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "x") for name in WITHOUT_SETTING),
        # Kubernetes, beside a service that is called radixa.
        ("RADIXA_PORT", "tcp://10.0.0.1:8000"),
        ("RADIXA_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("RADIXA_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("RADIXA_SERVICE_HOST", "10.0.0.1"),
        ("RADIXA_SERVICE_PORT", "8000"),
        ("RADIXA_SERVICE_PORT_HTTP", "8000"),
        # Like none of ours.
        ("RADIXA_DEPLOYED_BY", "somebody"),
        ("RADIXA_TEST_POSTGRES_URL", "postgresql://"),
        ("RADIX_ENGINE_DTYPE", "x"),
    ],
)
def test_other_variables_are_left_alone(name: str, value: str) -> None:
    assert load(environ={name: value}).config == Config()


@pytest.mark.parametrize("prices", [{}, {"input": 1.0}, {"input": 1.0, "since": "2026-01-01"}, {"output": 1}])
def test_prices_may_be_incomplete(tmp_path: Path, prices: dict[str, Any]) -> None:
    file = tmp_path / "radixa.toml"
    given = ", ".join(f"{name} = {value!r}" for name, value in prices.items())
    file.write_text(f"[[models]]\nid = 'm'\nprovider = 'radixa'\nprices = [{{{given}}}]\n")
    (entry,) = load(file, environ={}).config.models
    assert entry.prices[0].input == prices.get("input")
