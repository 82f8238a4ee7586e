"""Folders that an option names."""

from __future__ import annotations

import os
from pathlib import Path

from radixa.core.errors import ConfigError


def check_folder(folder: Path, option: str) -> None:
    """Make it, and see now that files can be written there, not after minutes of work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "not permitted to write there"
    except OSError as error:
        reason = f"cannot make it: {error.strerror}"
    if reason:
        raise ConfigError(f"{option} {folder}: {reason}; expected a folder that can be made and written")
