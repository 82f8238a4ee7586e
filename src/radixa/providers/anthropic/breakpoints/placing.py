"""Breakpoints put into a body: the blocks that bear them are changed, nothing else is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from radixa.providers.anthropic.breakpoints.base import Mark, Place, Ttl

_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONTROL: dict[Ttl, bytes] = {
    "5m": b'"cache_control":{"type":"ephemeral"}',
    "1h": b'"cache_control":{"type":"ephemeral","ttl":"1h"}',
}


def placed(fields: Mapping[str, msgspec.Raw], places: Sequence[Place], marks: Sequence[Mark]) -> dict[str, msgspec.Raw]:
    """The top-level fields of a body with `marks` in it; `places` says where each position is."""
    changed = dict(fields)
    for section in ("tools", "system", "messages"):
        here = [(places[mark.position], mark.ttl) for mark in marks if places[mark.position].section == section]
        if not here:
            continue
        raw = bytes(fields[section])
        if raw.startswith(b'"'):
            changed[section] = msgspec.Raw(_as_block(raw, here[0][1]))
            continue
        items = _RAWS.decode(raw)
        for place, ttl in here:
            item = items[place.item]
            items[place.item] = _in_message(item, place, ttl) if section == "messages" else _on(item, ttl)
        changed[section] = _joined(items)
    return changed


def _in_message(message: msgspec.Raw, place: Place, ttl: Ttl) -> msgspec.Raw:
    fields = _FIELDS.decode(message)
    content = fields["content"]
    if place.part < 0:
        fields["content"] = msgspec.Raw(_as_block(bytes(content), ttl))
    else:
        blocks = _RAWS.decode(content)
        blocks[place.part] = _on(blocks[place.part], ttl)
        fields["content"] = _joined(blocks)
    return msgspec.Raw(msgspec.json.encode(fields))


def _as_block(text: bytes, ttl: Ttl) -> bytes:
    """A content that is a string, as the one block that it is short for."""
    return b'[{"type":"text","text":' + text + b"," + _CONTROL[ttl] + b"}]"


def _on(block: msgspec.Raw, ttl: Ttl) -> msgspec.Raw:
    """A block, which has fields, with one more."""
    fields = _FIELDS.decode(block)
    fields.pop("cache_control", None)
    return msgspec.Raw(msgspec.json.encode(fields)[:-1] + b"," + _CONTROL[ttl] + b"}")


def _joined(items: Sequence[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(b"[" + b",".join(map(bytes, items)) + b"]")
