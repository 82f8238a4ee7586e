"""`radixa serve` mounts the dashboard and says where it is."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from tests.gateway.live import serving

pytestmark = pytest.mark.slow


def test_the_server_serves_it_and_says_where(tmp_path: Path) -> None:
    with serving(tmp_path, RADIXA_ENGINE_ENABLED="false", RADIXA_HOME=str(tmp_path)) as live:
        assert f"Dashboard: {live.url}/dashboard\n" in live.output
        with urllib.request.urlopen(live.url + "/dashboard", timeout=10) as page:
            assert page.url == live.url + "/dashboard/sign-in?next=/dashboard"
            assert b'<input id="key"' in page.read()
        assert live.stop() == 0
