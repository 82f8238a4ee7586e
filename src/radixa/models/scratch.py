"""Folders in which something is made before it is renamed into place, and what dead processes left of theirs."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".new-"


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` that is gone afterwards; those of processes that were killed are removed first.

    A folder in use is locked, and a lock ends with its process, however that ends and wherever it runs: process ids
    mean nothing to another container that shares the folder. OSError where it cannot be made.
    """
    for left in parent.glob(f"{_PREFIX}*"):
        _remove_if_left(left)
    folder, descriptor = _make(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make(parent: Path) -> tuple[Path, int]:
    """A locked folder. One that somebody else cleared away before it was locked is made again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.is_dir():
                    return folder, descriptor
            os.close(descriptor)


def _remove_if_left(folder: Path) -> None:
    """Remove a folder that nobody has locked. Nothing happens where that is not permitted: it only takes room."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
