"""Child processes that end with their parent, also where it is killed and can tell them nothing.

The child's standard input is a pipe that nothing is written to. Only the parent holds its other end, so it closes when
the parent ends, however it ends; a thread of the child waits for that.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lifeline() -> Iterator[int]:
    """What to give a child of `command` as its standard input; leaving the block ends the child."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


def command(module: str, *arguments: str) -> list[str]:
    """Runs `module` like `python -m`, on a lifeline.

    With `-P` nothing is imported from the current folder: a `random.py` of the user's there is not ours to run.
    """
    return [sys.executable, "-P", "-m", "radixa.core.lifeline", module, *arguments]


def _watch() -> None:
    """Wait for the end of the pipe, then end this process in the middle of whatever it does."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
