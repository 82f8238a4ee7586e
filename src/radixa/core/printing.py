"""Texts of others made safe to print, and times made readable."""

from __future__ import annotations

import re

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal obeys instead of showing it, what turns the direction of the rest of a line, and halves of
characters, which no output can hold."""


def printable(text: str, keep: str = "") -> str:
    """A text of somebody else's, made safe to print: a sign such as ␛ for each control character but those in `keep`.

    Whatever others may have named, written or answered (names of keys, prompts, a server's errors) goes through this.
    """
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else _sign(ord(found[0])), text)


def _sign(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def age(seconds: float) -> str:
    """How long ago something was, to a reader."""
    if seconds < 60:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 3600 else f"{seconds / 3600:.1f} h ago"
