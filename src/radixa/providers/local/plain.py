"""A conversation as a model's chat template takes it: roles and text, tool calls and what they came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from radixa.core.base import Message, ToolUse
from radixa.core.conversation import (
    Conversation,
    ConversationMessage,
    Image,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from radixa.core.errors import InvalidRequest, shown
from radixa.providers.arguments import arguments_of


class Plain(NamedTuple):
    """Messages of text, and of which message of the conversation each is a part."""

    messages: tuple[Message, ...]
    origins: tuple[int, ...]


def plain(conversation: Conversation) -> Plain:
    """Messages of text alone, their parts joined; what several tools answered within one message are several here.

    InvalidRequest for what would have to be left out of the prompt.
    Thoughts of earlier answers are left out, as the providers that think leave them out.
    """
    names = {
        part.id: part.name for message in conversation.messages for part in message.parts if isinstance(part, ToolCall)
    }
    found = [
        (plain_message, i)
        for i, message in enumerate(conversation.messages)
        for plain_message in _plain(message, conversation.place(i), names)
    ]
    return Plain(tuple(message for message, _ in found), tuple(origin for _, origin in found))


def _plain(message: ConversationMessage, place: str, names: dict[str, str]) -> Iterator[Message]:
    texts: list[str] = []
    calls: list[ToolUse] = []
    results = 0
    for j, part in enumerate(message.parts):
        match part:
            case Text():
                texts.append(part.text)
            case Thinking():
                pass
            case ToolCall():
                calls.append(ToolUse(part.id, part.name, arguments_of(part, place)))
            case Image():
                raise _unread(f"{place}.content[{j}]", "image")
            case Opaque():
                raise _unread(f"{place}.content[{j}]", part.type)
            case _:
                # Results come first, as templates want them: right after the calls.
                results += 1
                name = message.name or names.get(part.call_id)
                yield Message("tool", _result(part, f"{place}.content[{j}]"), name, tool_call_id=part.call_id)
    if texts or calls or not results:
        yield Message(message.role, "".join(texts), message.name, tuple(calls))


def _result(part: ToolResult, place: str) -> str:
    texts = []
    for k, inner in enumerate(part.content):
        if isinstance(inner, Image):
            raise _unread(f"{place}.content[{k}]", "image")
        texts.append(inner.text)
    return "".join(texts)


def _unread(place: str, kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid value for '{place}.type': '{shown(kind)}'. The embedded engine reads text only: 'text'.",
        param=f"{place}.type",
        code="invalid_value",
    )
