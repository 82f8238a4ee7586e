"""A body of `/v1/messages` read into blocks: only as far as is needed to tell them apart and to size them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import msgspec

from radixa.providers.anthropic.breakpoints.base import Place, Prompt

_MEDIA_WEIGHT = 6_000
"""An image is about 1,500 tokens, however many bytes it has."""
_SETTINGS = ("tool_choice", "thinking", "output_config")
"""Fields that change how messages are put, so that nothing from there on is the same."""


class _Message(msgspec.Struct):
    role: str
    content: msgspec.Raw


class _Head(msgspec.Struct):
    """What must be known of a content block or a tool."""

    type: str = ""
    text: msgspec.Raw = msgspec.Raw()
    cache_control: msgspec.Raw = msgspec.Raw()


_MESSAGES = msgspec.json.Decoder(list[_Message])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_HEADS = msgspec.json.Decoder(list[_Head])
_NEVER = frozenset(("thinking", "redacted_thinking"))
_NULL = b"null"


class _Marked(Exception):
    """The body has breakpoints of its own."""


class _Reader:
    def __init__(self) -> None:
        self.keys: list[int] = []
        self.weights: list[int] = []
        self.places: list[Place] = []
        self.markable: list[bool] = []

    def text(self, salt: object, text: bytes, place: Place) -> None:
        self.keys.append(hash((salt, text)) & 0x7FFFFFFF)
        self.weights.append(len(text))
        self.places.append(place)
        self.markable.append(len(text) > 2)

    def blocks(self, salt: object, raw: msgspec.Raw, place: Place, *, items: bool) -> None:
        """Content that is an array. With `items` its blocks are the section's items themselves."""
        section, index, _ = place
        for number, (block, head) in enumerate(zip(_RAWS.decode(raw), _HEADS.decode(raw), strict=True)):
            if (control := bytes(head.cache_control)) and control != _NULL:
                raise _Marked
            where = Place(section, number) if items else Place(section, index, number)
            kind = head.type
            if kind == "text":
                self.text(salt, bytes(head.text), where)
                continue
            held = bytes(block)
            if kind == "tool_result" and b'"cache_control"' in held:
                raise _Marked
            weight = len(held)
            if weight > _MEDIA_WEIGHT and b'"base64"' in held and kind in ("image", "tool_result"):
                weight = _MEDIA_WEIGHT
            self.keys.append(hash((salt, held)) & 0x7FFFFFFF)
            self.weights.append(weight)
            self.places.append(where)
            self.markable.append(kind not in _NEVER)


def read(fields: Mapping[str, msgspec.Raw]) -> Prompt | None:
    """The prompt of a body, given as its top-level fields.

    None where it has breakpoints of its own, or is not of the form that Anthropic asks: then it is for Anthropic to
    say so.
    """
    reader = _Reader()
    try:
        if bytes(fields.get("cache_control", _NULL)) != _NULL:
            return None
        if tools := fields.get("tools"):
            reader.blocks("tools", tools, Place("tools", 0), items=True)
        last_tool = len(reader.keys) - 1
        if system := fields.get("system"):
            if bytes(system).startswith(b'"'):
                reader.text("system", bytes(system), Place("system", 0))
            else:
                reader.blocks("system", system, Place("system", 0), items=True)
        last_system = len(reader.keys) - 1
        # What follows is the same only under the same settings.
        settings = hash(tuple(bytes(fields.get(name, b"")) for name in _SETTINGS))
        turns = 0
        for index, message in enumerate(_MESSAGES.decode(fields["messages"])):
            salt = (settings, message.role)
            turns += message.role == "user"
            content = bytes(message.content)
            if content.startswith(b'"'):
                reader.text(salt, content, Place("messages", index))
            else:
                reader.blocks(salt, message.content, Place("messages", index), items=False)
    except (KeyError, msgspec.DecodeError, _Marked):
        return None
    if not reader.keys:
        return None
    return Prompt(
        array("i", reader.keys).tobytes(),
        reader.weights,
        reader.places,
        reader.markable,
        last_tool,
        last_system if last_system > last_tool else -1,
        turns,
    )
