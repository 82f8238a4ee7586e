"""API keys: how one is made, and how one is recognised without being kept."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "rx-"
_RANDOM_BYTES = 24
"""192 bits: a key is found by its plain SHA-256, which is safe only because it cannot be guessed (DESIGN 7)."""


def new_secret() -> str:
    """`rx-` and 32 URL-safe characters."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(secret: str) -> str:
    """SHA-256 of the whole key, in hexadecimal: what the store keeps and looks up."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hint(secret: str) -> str:
    """The last four characters, by which a person tells their keys apart; nothing of a key too short to spare them."""
    return secret[-4:] if len(secret) >= 16 else ""
