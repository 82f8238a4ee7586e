"""Our `usage` put into what a provider wrote: the rest of its JSON stays as it is, byte for byte in its values."""

from __future__ import annotations

import msgspec

from radixa.gateway.base import encode
from radixa.gateway.usage import UsageBody

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def with_usage(raw: bytes, usage: UsageBody) -> bytes:
    """An answer, or an event, in OpenAI's shape; counts that only the provider has (thoughts, sounds) are kept."""
    found = _fields(raw)
    found["usage"] = msgspec.Raw(merged(bytes(found.get("usage", b"null")), encode(usage)))
    return encode(found)


def merged(theirs: bytes, ours: bytes) -> bytes:
    """Two JSON objects as one, ours where both have a field, objects within them likewise; null counts as empty."""
    if theirs[:1] != b"{":
        return ours
    found, own = _fields(theirs), _fields(ours)
    for name, value in own.items():
        old, new = bytes(found.get(name, b"")), bytes(value)
        both = old[:1] == b"{" and new[:1] == b"{" and name != "radixa"
        found[name] = msgspec.Raw(merged(old, new)) if both else value
    return encode(found)
