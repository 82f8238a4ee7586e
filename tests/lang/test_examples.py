"""The examples run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.live import KEY, Live

FOLDER = Path(__file__).parents[2] / "examples"
EXPECTED = {
    "few_shot.py": "Please refund my last order.",
    "debate.py": "Verdict: The ",
    "conversation.py": "cache_hits",
}


def test_each_is_known() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_runs(name: str, live: Live) -> None:
    environment = {**os.environ, "RADIXA_BASE_URL": live.url, "RADIXA_API_KEY": KEY}
    found = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / name)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert EXPECTED[name] in found.stdout
