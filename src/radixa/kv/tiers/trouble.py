"""What a disk's errors mean for the tier."""

from __future__ import annotations

import errno
import sqlite3

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(error: OSError | sqlite3.Error) -> bool:
    """Whether there is no room for more, while what is there can be read and removed as before."""
    return isinstance(error, OSError) and error.errno in _FULL


def patience(error: OSError | sqlite3.Error, retry: float) -> float:
    """Seconds to wait before the next try: `retry`, or less where only another process was in the way."""
    busy = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return min(1.0, retry) if busy else retry
