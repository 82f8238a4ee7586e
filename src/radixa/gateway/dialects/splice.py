"""Our fields put into what a provider wrote: the rest of its JSON stays as it is, byte for byte in its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from radixa.gateway.base import encode

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def spliced(raw: bytes, ours: Mapping[str, Any]) -> bytes:
    """A JSON object with our fields, ours where both have one; counts that only the provider has (thoughts, sounds) are
    kept, since objects within it are treated likewise."""
    return encode(_spliced(raw, ours))


def _spliced(theirs: bytes, ours: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _fields(theirs)
    for name, value in ours.items():
        # What is of our own make has nothing of theirs in it.
        if name != "radixa" and isinstance(value, (msgspec.Struct, dict)):
            old = bytes(found.get(name, b""))
            if old[:1] == b"{":
                value = _spliced(old, value if isinstance(value, dict) else msgspec.structs.asdict(value))
        found[name] = value
    return found
