"""Chat messages as they come in, and as the chat template takes them: text, joined from its parts."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from radixa.core.base import Message
from radixa.core.errors import InvalidRequest
from radixa.gateway.errors import shown, unsupported
from radixa.gateway.wishes import Breakpoint, Ephemeral, Mark

MAX_MESSAGES = 10_000


class ContentPart(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None
    cache_control: Ephemeral | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[Any] | None = None
    function_call: dict[str, Any] | None = None


def plain_messages(messages: list[ChatMessage]) -> tuple[Message, ...]:
    """Messages of text alone. InvalidRequest for anything that would have to be left out of the prompt."""
    return tuple(_plain(message, f"messages[{i}]") for i, message in enumerate(messages))


def _plain(message: ChatMessage, where: str) -> Message:
    if message.tool_calls or message.function_call:
        field = "tool_calls" if message.tool_calls else "function_call"
        raise unsupported(f"{where}.{field}", "the embedded engine calls no tools. Write the call as text instead.")
    content = message.content
    if content is None:
        raise InvalidRequest(
            f"Invalid type for '{where}.content': expected a string or an array of text parts, but got null instead.",
            param=f"{where}.content",
            code="invalid_type",
        )
    if not isinstance(content, str):
        content = "".join(_text(part, f"{where}.content[{i}]") for i, part in enumerate(content))
    # `developer` is OpenAI's newer word for `system`; the templates of open models know the older one.
    role = "system" if message.role == "developer" else message.role
    return Message(role=role, content=content, name=message.name)


def _text(part: ContentPart, where: str) -> str:
    if part.type != "text":
        raise InvalidRequest(
            f"Invalid value for '{where}.type': '{shown(part.type)}'. The embedded engine reads text only: 'text'.",
            param=f"{where}.type",
            code="invalid_value",
        )
    if part.text is None:
        raise InvalidRequest(
            f"Missing required parameter: '{where}.text'.", param=f"{where}.text", code="missing_required_parameter"
        )
    return part.text


def breakpoints(messages: list[ChatMessage]) -> list[Mark]:
    """What the breakpoints on content parts ask for, OpenAI's and Anthropic's."""
    found = []
    for i, message in enumerate(messages):
        if isinstance(message.content, list):
            for j, part in enumerate(message.content):
                for name, given in [
                    ("cache_control", part.cache_control),
                    ("prompt_cache_breakpoint", part.prompt_cache_breakpoint),
                ]:
                    if given is not None:
                        found.append(Mark(f"messages[{i}].content[{j}].{name}", given.seconds))
    return found
