"""Chat messages as they come in, and as a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from radixa.core.conversation import (
    Breakpoint,
    ConversationMessage,
    ConversationRole,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from radixa.core.errors import InvalidRequest, unsupported
from radixa.gateway.dialects.parts import ROLES, breakpoint_of, image, marks_of, required
from radixa.gateway.wishes import Breakpoint as BreakpointBody
from radixa.gateway.wishes import Ephemeral, Mark

MAX_MESSAGES = 10_000

_ROLES: dict[str, ConversationRole] = {**ROLES, "tool": "tool", "function": "tool"}


class ImageUrl(msgspec.Struct, frozen=True):
    url: str
    detail: str | None = None


class ContentPart(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None
    image_url: ImageUrl | str | None = None
    cache_control: Ephemeral | None = None
    prompt_cache_breakpoint: BreakpointBody | None = None


class FunctionCall(msgspec.Struct, frozen=True):
    name: str
    arguments: str = "{}"


class ToolCallBody(msgspec.Struct, frozen=True):
    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class ChatMessage(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCallBody] | None = None
    tool_call_id: str | None = None
    function_call: dict[str, Any] | None = None
    reasoning_content: str | None = None
    cache_control: Ephemeral | None = None
    """On the whole message, as some clients have it."""


def conversation_messages(messages: Sequence[ChatMessage]) -> tuple[ConversationMessage, ...]:
    """InvalidRequest names the part that cannot be."""
    return tuple(_message(message, f"messages[{i}]") for i, message in enumerate(messages))


def _message(message: ChatMessage, where: str) -> ConversationMessage:
    if message.function_call:
        raise unsupported(f"{where}.function_call", "functions were replaced by tools. Expected 'tool_calls'.")
    parts = _content(message, where)
    role = _ROLES[message.role]
    if role == "tool":
        texts = tuple(part for part in parts if isinstance(part, Text | Image))
        parts = [ToolResult(message.tool_call_id or "", texts, breakpoint=_last(parts))]
    if message.reasoning_content:
        parts.insert(0, Thinking(message.reasoning_content))
    parts += [ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    return ConversationMessage(role, tuple(parts), message.name)


def _content(message: ChatMessage, where: str) -> list[Part]:
    content = message.content
    whole: Breakpoint | None = None if message.cache_control is None else message.cache_control.ttl or "5m"
    if content is None:
        if message.tool_calls:
            return []
        raise InvalidRequest(
            f"Invalid type for '{where}.content': expected a string or an array of text parts, but got null instead.",
            param=f"{where}.content",
            code="invalid_type",
        )
    if isinstance(content, str):
        return [Text(content, whole)]
    last = len(content) - 1
    return [_part(part, f"{where}.content[{i}]", whole if i == last else None) for i, part in enumerate(content)]


def _part(part: ContentPart, where: str, whole: Breakpoint | None) -> Part:
    mark = breakpoint_of(part) or whole
    if part.type == "text":
        return Text(required(part.text, f"{where}.text"), mark)
    if part.type == "image_url":
        if isinstance(part.image_url, str):
            return image(part.image_url, "", mark)
        found = required(part.image_url, f"{where}.image_url")
        return image(found.url, found.detail or "", mark)
    return Opaque(part.type)


def _last(parts: Sequence[Part]) -> Breakpoint | None:
    """The breakpoint of a tool's answer: that of its last part."""
    last = parts[-1] if parts else None
    return last.breakpoint if isinstance(last, Text | Image) else None


def breakpoints(messages: Sequence[ChatMessage]) -> list[Mark]:
    """What the breakpoints on messages and content parts ask for, OpenAI's and Anthropic's."""
    found = []
    for i, message in enumerate(messages):
        if message.cache_control is not None:
            found.append(Mark(f"messages[{i}].cache_control", message.cache_control.seconds))
        if isinstance(message.content, list):
            for j, part in enumerate(message.content):
                found += marks_of(part, f"messages[{i}].content[{j}]")
    return found
