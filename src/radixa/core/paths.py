"""Where state lies: one folder, `RADIXA_HOME`, or the platform's user folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of this installation. None of them is created by asking for it."""

    data: Path
    """Database, secrets: what must not be lost."""
    models: Path
    """Fetched model files."""
    cache: Path
    """What can be made again: converted weights, probe results."""

    @property
    def database(self) -> Path:
        return self.data / "radixa.db"


def paths() -> Paths:
    """The folders that hold now. `RADIXA_MODELS` moves the models alone."""
    home = os.environ.get("RADIXA_HOME")
    if home:
        root = Path(home).expanduser()
        found = Paths(data=root, models=root / "models", cache=root / "cache")
    else:
        import platformdirs

        found = Paths(
            data=Path(platformdirs.user_data_dir("radixa", appauthor=False)),
            models=Path(platformdirs.user_data_dir("radixa", appauthor=False)) / "models",
            cache=Path(platformdirs.user_cache_dir("radixa", appauthor=False)),
        )
    models = os.environ.get("RADIXA_MODELS")
    return Paths(found.data, Path(models).expanduser(), found.cache) if models else found


def make_folder(folder: Path) -> Path:
    """Make `folder` where it is missing, and return it. OSError where it cannot be made.

    Whatever makes the data folder makes it for this user alone (0700), whether it was after the database or a model; a
    folder that exists keeps the mode it has.
    """
    data = paths().data.absolute()
    if folder.absolute().is_relative_to(data):
        data.parent.mkdir(parents=True, exist_ok=True)
        data.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
