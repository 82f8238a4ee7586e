"""The real small model, in this process and behind a server; both for all tests of the language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import radixa as rx
from radixa.lang.backends.endpoint import RuntimeEndpoint
from radixa.lang.backends.engine import Engine
from tests.gateway.live import KEY, Live, serving


@pytest.fixture(scope="session")
def loaded() -> Iterator[Engine]:
    with rx.Engine("smollm2", dtype="float32", kv_tokens=16_384, threads=1) as engine:
        yield engine


@pytest.fixture
def engine(loaded: Engine) -> Iterator[Engine]:
    """An engine with an empty cache, the default back end of the test."""
    loaded.flush_cache()
    rx.set_default_backend(loaded)
    yield loaded
    rx.set_default_backend(None)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("server"), "--sandbox") as found:
        yield found


@pytest.fixture
def endpoint(live: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuntimeEndpoint]:
    """The server with an empty cache, which the environment names too."""
    monkeypatch.setenv("RADIXA_BASE_URL", live.url)
    monkeypatch.setenv("RADIXA_API_KEY", KEY)
    found = rx.RuntimeEndpoint()
    found.flush_cache()
    yield found
    found.shutdown()
    rx.set_default_backend(None)
