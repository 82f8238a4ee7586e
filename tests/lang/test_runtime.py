"""A server that a program starts for itself."""

from __future__ import annotations

import pytest

import radixa as sgl
from radixa.core.errors import CallFailed, EngineUnavailable
from tests.lang.programs import plain


@pytest.mark.slow
def test_a_server_for_as_long_as_it_is_needed() -> None:
    with sgl.Runtime("smollm2", engine={"dtype": "float32", "threads": 1, "kv_tokens": 4096}) as runtime:
        state = plain.run(start="One, two,", backend=runtime)
        assert state["rest"]
        assert runtime.get_server_info()["address"] == runtime.url
        url = runtime.url
    other = sgl.RuntimeEndpoint(url)
    with pytest.raises(CallFailed, match="no server answers"):
        other.flush_cache()


def test_settings_that_a_server_does_not_have() -> None:
    with pytest.raises(EngineUnavailable, match="RADIXA_ENGINE_THREDS"):
        sgl.Runtime("smollm2", engine={"threds": 1})
