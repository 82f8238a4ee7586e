"""How many connections this process can have."""

from __future__ import annotations

import resource
from contextlib import suppress

_SPARE_FILES = 256
"""For the database, the log, the libraries, and the engine's process."""


def raise_file_limit() -> int:
    """Let this process open as many files as its hard limit allows; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems say "unlimited" and do not mean it.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if found == resource.RLIM_INFINITY else found


def connections_for(wanted: int, files: int) -> int:
    """`wanted` connections, or as many as `files` open files allow: each may need a second one to an upstream."""
    return max(1, min(wanted, (files - _SPARE_FILES) // 2))
