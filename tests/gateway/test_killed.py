"""A gateway that is killed while many ask it: no delivered answer is missing in the ledger, and none is there twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILL = Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_was_delivered_is_in_the_ledger_once() -> None:
    ran = subprocess.run(
        [sys.executable, str(KILL), "--kills", "5", "--json"], stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(ran.stdout)
    assert found["delivered"] > 0
    assert (found["not_in_the_ledger"], found["twice"]) == (0, 0)
    assert found["in_the_ledger"] >= found["delivered"]
