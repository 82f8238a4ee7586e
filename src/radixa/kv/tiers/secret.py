"""The installation's secret: 32 random bytes in a file that only its user can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from radixa.core.errors import ConfigError
from radixa.core.paths import make_folder

SECRET_BYTES = 32


def installation_secret(folder: Path) -> bytes:
    """The secret in `folder`/secret, made when it is missing. ConfigError where it cannot be read, made or is broken.

    The file appears whole or not at all, and of several processes that make it at once one wins and all read its.
    A file of the wrong size is an error and not made anew: what hangs on the lost one is the user's to give up.
    """
    path = folder / "secret"
    try:
        if not path.exists():
            _make(folder, path)
        path.chmod(0o600)
        found = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The secret of this installation, {path}, can be neither read nor made: {error}.") from error
    if len(found) != SECRET_BYTES:
        raise ConfigError(
            f"The secret of this installation, {path}, has {len(found)} bytes, expected {SECRET_BYTES}. Restore it, or"
            " delete it to begin with a new one; what is cached on disk is then dropped."
        )
    return found


def _make(folder: Path, path: Path) -> None:
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    draft = folder / f".secret-{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
