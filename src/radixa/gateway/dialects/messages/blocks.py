"""Content blocks as Anthropic's API has them, and the parts of a conversation they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from radixa.core.conversation import (
    Breakpoint,
    ConversationMessage,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from radixa.core.errors import InvalidRequest, shown
from radixa.gateway.base import encode
from radixa.gateway.dialects.parts import breakpoint_of, marks_of, required
from radixa.gateway.wishes import Breakpoint as BreakpointBody
from radixa.gateway.wishes import Ephemeral, Mark


class ImageSource(msgspec.Struct, frozen=True):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class Inner(msgspec.Struct, frozen=True):
    """A block within a tool's result."""

    type: str
    text: str | None = None
    source: ImageSource | None = None
    cache_control: Ephemeral | None = None
    prompt_cache_breakpoint: BreakpointBody | None = None


class Block(Inner, frozen=True):
    """A block of any type, with the fields of those that are read here."""

    id: str | None = None
    name: str | None = None
    input: dict[str, msgspec.Raw] | None = None
    tool_use_id: str | None = None
    content: str | list[Inner] | None = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class MessageBody(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


def message(body: MessageBody, where: str) -> ConversationMessage:
    """InvalidRequest names the block that cannot be."""
    return ConversationMessage(body.role, parts(body.content, f"{where}.content"))


def parts(content: str | Sequence[Block], where: str) -> tuple[Part, ...]:
    """One part a block, so that their places are the caller's."""
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_part(block, f"{where}[{i}]") for i, block in enumerate(content))


def marks(content: str | Sequence[Block], where: str) -> Iterator[Mark]:
    """What the breakpoints on the blocks ask for, also on those within a tool's result."""
    if isinstance(content, str):
        return
    for i, block in enumerate(content):
        yield from marks_of(block, f"{where}[{i}]")
        for j, inner in enumerate(block.content if isinstance(block.content, list) else ()):
            yield from marks_of(inner, f"{where}[{i}].content[{j}]")


def _part(block: Block, where: str) -> Part:
    mark = breakpoint_of(block)
    match block.type:
        case "text":
            return Text(required(block.text, f"{where}.text"), mark)
        case "image":
            return _image(block, where, mark) or Opaque("image")
        case "tool_use":
            arguments = encode(required(block.input, f"{where}.input")).decode()
            return ToolCall(required(block.id, f"{where}.id"), required(block.name, f"{where}.name"), arguments, mark)
        case "tool_result":
            call_id = required(block.tool_use_id, f"{where}.tool_use_id")
            return ToolResult(call_id, _result(block.content, f"{where}.content"), bool(block.is_error), mark)
        case "thinking":
            return Thinking(required(block.thinking, f"{where}.thinking"), signature=block.signature or "")
        case "redacted_thinking":
            return Thinking("", redacted=required(block.data, f"{where}.data"))
    return Opaque(block.type)


def _image(block: Inner, where: str, mark: Breakpoint | None) -> Image | None:
    """None for one that lies in Anthropic's own store of files."""
    source = required(block.source, f"{where}.source")
    match source.type:
        case "base64":
            data = required(source.data, f"{where}.source.data")
            return Image(
                media_type=required(source.media_type, f"{where}.source.media_type"), data=data, breakpoint=mark
            )
        case "url":
            return Image(url=required(source.url, f"{where}.source.url"), breakpoint=mark)
    return None


def _result(content: str | list[Inner] | None, where: str) -> tuple[Text | Image, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_inner(block, f"{where}[{i}]") for i, block in enumerate(content or ()))


def _inner(block: Inner, where: str) -> Text | Image:
    mark = breakpoint_of(block)
    if block.type == "text":
        return Text(required(block.text, f"{where}.text"), mark)
    image = _image(block, where, mark) if block.type == "image" else None
    if image is None:
        raise InvalidRequest(
            f"Invalid value for '{where}.type': '{shown(block.type)}'. This model reads text and images in a tool's "
            "result: 'text' and 'image' (as base64 or by URL).",
            param=f"{where}.type",
            code="invalid_value",
        )
    return image
