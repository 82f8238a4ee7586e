"""Names that people give, and ids that we do."""

from __future__ import annotations

import secrets
import time

from radixa.core.errors import InvalidRequest

LONGEST_NAME = 200


def check_name(name: str, field: str) -> None:
    """What every database can keep: not all take a zero byte, and none takes half a character."""
    halves = any("\ud800" <= sign <= "\udfff" for sign in name)
    if not 1 <= len(name) <= LONGEST_NAME or "\0" in name or halves:
        raise InvalidRequest(
            f"Invalid '{field}': expected a name of 1 to {LONGEST_NAME} characters, in valid Unicode, no zero byte.",
            param=field,
        )


def new_id(kind: str) -> str:
    """An id that sorts by its time, so that "oldest first" also holds within a second."""
    return f"{kind}{time.time_ns():016x}{secrets.token_hex(4)}"
