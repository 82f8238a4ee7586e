"""A child on a lifeline ends with its parent, and imports nothing from the current folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radixa.core.lifeline import command, lifeline

MODULE = "import sys, time; print(sys.argv[1:], __name__, flush=True); time.sleep(60)"


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "a_sleeper.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "a_sleeper"


def test_the_module_runs_as_with_m_until_the_block_ends(sleeper: str) -> None:
    with lifeline() as stdin:
        child = subprocess.Popen(command(sleeper, "one", "two"), stdin=stdin, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == "['one', 'two'] __main__\n"
            assert child.poll() is None
    assert child.wait(10) == 1


def test_it_ends_within_a_second_of_a_parent_that_is_killed(sleeper: str) -> None:
    code = (
        "import subprocess, time; from radixa.core.lifeline import command, lifeline\n"
        "with lifeline() as stdin:\n"
        f"    child = subprocess.Popen(command({sleeper!r}), stdin=stdin)\n"
        "    print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline().endswith("__main__\n")  # The child has begun.
        assert running(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until = time.monotonic() + 1
        while running(pid):
            assert time.monotonic() < until
            time.sleep(0.01)


def test_nothing_comes_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "random.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    with lifeline() as stdin:
        subprocess.run(command("tempfile"), stdin=stdin, check=True)  # which imports random
    assert not (tmp_path / "ran").exists()


def running(pid: int) -> bool:
    """Whether a process is there, and not merely one that nobody has taken note of the end of."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    os.kill(pid, 0)
    return state != "Z"
