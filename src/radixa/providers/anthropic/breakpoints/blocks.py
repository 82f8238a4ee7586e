"""A body of `/v1/messages` read into blocks: only as far as is needed to tell them apart and to size them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from radixa.providers.anthropic.breakpoints.base import Place, Prompt

_MEDIA_WEIGHT = 6_000
"""An image is about 1,500 tokens, however many bytes it has."""
_SETTINGS = ("tool_choice", "thinking", "output_config")
"""Fields that change how messages are put, so that nothing from there on is the same."""


class _Head(msgspec.Struct):
    """What must be known of a content block or a tool."""

    type: str = ""
    text: str = ""
    cache_control: msgspec.Raw | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Head]


class _Content(msgspec.Struct):
    content: msgspec.Raw


_MESSAGES = msgspec.json.Decoder(list[_Message])
_CONTENTS = msgspec.json.Decoder(list[_Content])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_BLOCKS = msgspec.json.Decoder(str | list[_Head])
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

    def section(self, name: Literal["tools", "system"], raw: msgspec.Raw) -> None:
        """Tools, or a system prompt."""
        content = _BLOCKS.decode(raw)
        if isinstance(content, str):
            self._add(hash((name, content)), len(content), Place(name, 0), markable=bool(content))
        else:
            places = [Place(name, number) for number in range(len(content))]
            self.blocks(name, content, places, lambda: _RAWS.decode(raw))

    def blocks(
        self, salt: object, heads: Sequence[_Head], places: Sequence[Place], raws: Callable[[], list[msgspec.Raw]]
    ) -> None:
        """`raws`: the same blocks in full."""
        full: list[msgspec.Raw] | None = None
        for number, head in enumerate(heads):
            if head.cache_control is not None:
                raise _Marked
            if head.type == "text":
                text = head.text
                self._add(hash((salt, text)), len(text), places[number], markable=bool(text))
                continue
            full = raws() if full is None else full
            block = bytes(full[number])
            if head.type == "tool_result" and b'"cache_control"' in block:
                raise _Marked
            weight = len(block)
            if weight > _MEDIA_WEIGHT and head.type in ("image", "tool_result") and b'"base64"' in block:
                weight = _MEDIA_WEIGHT
            self._add(hash((salt, block)), weight, places[number], markable=head.type not in _NEVER)

    def messages(self, raw: msgspec.Raw, settings: int) -> int:
        """The messages; how many of them are the user's."""
        keys, weights, places, markable = self.keys, self.weights, self.places, self.markable
        salts = {role: (settings, role) for role in ("user", "assistant")}
        contents: list[_Content] = []
        users = 0

        def full(item: int) -> list[msgspec.Raw]:
            if not contents:
                contents.extend(_CONTENTS.decode(raw))
            return _RAWS.decode(contents[item].content)

        for item, message in enumerate(_MESSAGES.decode(raw)):
            role, content = message.role, message.content
            users += role == "user"
            salt = salts.get(role, role)
            if isinstance(content, str):
                keys.append(hash((salt, content)) & 0x7FFFFFFF)
                weights.append(len(content))
                places.append(Place("messages", item))
                markable.append(bool(content))
            else:
                where = [Place("messages", item, part) for part in range(len(content))]
                self.blocks(salt, content, where, lambda item=item: full(item))  # type: ignore[misc]
        return users

    def _add(self, held: int, weight: int, place: Place, *, markable: bool) -> None:
        self.keys.append(held & 0x7FFFFFFF)
        self.weights.append(weight)
        self.places.append(place)
        self.markable.append(markable)


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
            reader.section("tools", tools)
        last_tool = len(reader.keys) - 1
        if system := fields.get("system"):
            reader.section("system", system)
        last_system = len(reader.keys) - 1
        # What follows is the same only under the same settings.
        settings = hash(tuple(bytes(fields.get(name, b"")) for name in _SETTINGS))
        turns = reader.messages(fields["messages"], settings)
    except (KeyError, msgspec.DecodeError, UnicodeError, RecursionError, _Marked):
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
