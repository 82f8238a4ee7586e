"""How many values a JSON body holds, found before it is decoded.

Decoding makes an object of each value and holds the interpreter's lock all the while, so a body of millions of them
would stop every other request of the process, in whatever thread it is decoded. A body's bytes are no measure: 16 MiB
may be one text or five million numbers.
"""

from __future__ import annotations

from radixa.core.errors import InvalidRequest

MAX_VALUES = 1 << 18
"""In one body: about a tenth of a second's decoding at the worst."""


def check_values(body: bytes) -> None:
    """InvalidRequest where `body` holds more than `MAX_VALUES` values."""
    # Signs inside of strings count too, so this may be too high, and only then is more work needed.
    if _most(body) <= MAX_VALUES:
        return
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A value has at most two texts, itself and its name, so four quotes.
    if unescaped.count(b'"') <= 4 * MAX_VALUES and _most(b"".join(unescaped.split(b'"')[::2])) <= MAX_VALUES:
        return
    raise InvalidRequest(
        f"The JSON body of your request holds too many values. Expected at most {MAX_VALUES}, counting every entry of "
        "every array and object.",
        code="too_many_values",
    )


def _most(body: bytes) -> int:
    """Values there can be: each but the first of all comes after a comma, or is the first in an array or object."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")
