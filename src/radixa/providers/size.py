"""How much text a request holds: what its tokens are estimated by where nobody counts them."""

from __future__ import annotations

import re

BYTES_A_TOKEN = 4
"""Of text, where nobody counts: what English takes on average."""

_FILE = re.compile(rb';base64,[A-Za-z0-9+/=\\]*|"data"\s*:\s*"[A-Za-z0-9+/=\\]*"')
"""A picture or another file within JSON: as a data URL, or as Anthropic and Gemini have it."""


def text_bytes(body: bytes) -> int:
    """Bytes of a request's JSON without files in base64, whose tokens have nothing to do with their bytes."""
    if b";base64," not in body and b'"data"' not in body:
        return len(body)
    return len(body) - sum(len(found[0]) for found in _FILE.finditer(body))


def utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def estimated_tokens(size: int) -> int:
    """Of a text of `size` bytes, rounded up."""
    return -(-size // BYTES_A_TOKEN)
