"""Running the command line inside the test's process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from radixa.cli.app import main


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Radixa = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, in an empty current folder, with no variable of the caller's."""
    for name in ("RADIXA_BASE_URL", "RADIXA_API_KEY", "RADIXA_DEBUG", "RADIXA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def radixa(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Radixa:
    """`radixa(*arguments)`: what the command exited with and printed."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["radixa", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        found = capsys.readouterr()
        code = end.value.code
        # The interpreter prints a text that a program exits with, and makes the code 1.
        err = found.err + (f"{code}\n" if isinstance(code, str) else "")
        return Result(1 if isinstance(code, str) else int(code or 0), found.out, err)

    return run
