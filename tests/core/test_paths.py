"""The data folder is its user's alone, whatever makes it first."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from radixa.core.paths import make_folder, paths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RADIXA_MODELS", raising=False)
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path / "above" / "home"))
    return tmp_path / "above" / "home"


@pytest.mark.parametrize("inside", ["", "models/smollm2", "cache"])
def test_the_data_folder_is_private(home: Path, inside: str) -> None:
    assert make_folder(home / inside) == home / inside
    assert (home / inside).is_dir()
    assert mode(home) == 0o700


def test_other_folders_and_their_modes_are_let_be(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_MODELS", str(tmp_path / "shared"))
    make_folder(paths().models / "smollm2")
    assert mode(tmp_path / "shared") & 0o055 == 0o055
    assert not home.exists()
    home.mkdir(parents=True, mode=0o750)
    make_folder(home / "cache")
    assert mode(home) == 0o750
