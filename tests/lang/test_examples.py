"""The examples run as they are."""

from __future__ import annotations

import os
import re
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
    "rag.py": "prompt tokens were computed before",
}
LONGER = {
    "tree_of_thought.py": "30 answers, ",
    "agent_with_tools.py": "look_up_order(1042): ",
    "langchain_chat.py": " of them cached: $0.000",
}
ELSEWHERE = {"llama_index_chat.py"}
"""Needs an older SDK of OpenAI's: `tests/gateway/test_other_clients.py` runs it."""


def test_each_is_known() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {*EXPECTED, *LONGER, *ELSEWHERE}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EXPECTED, *LONGER])
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
    assert (EXPECTED | LONGER)[name] in found.stdout
    if name in LONGER:
        # What was reused is told, and it is not nothing.
        assert re.search(r"[1-9]\d* of them cached", found.stdout)
