"""A conversation as the chat template of a plain model takes it: roles and text."""

from __future__ import annotations

from radixa.core.base import Message
from radixa.core.conversation import Conversation, ConversationMessage, Image, Opaque, Text, Thinking, ToolCall
from radixa.core.errors import InvalidRequest, shown, unsupported

NO_TOOLS = "the embedded engine calls no tools. Describe them in the prompt instead."


def plain_messages(conversation: Conversation) -> tuple[Message, ...]:
    """Messages of text alone, their parts joined. InvalidRequest for what would have to be left out of the prompt.

    Thoughts of earlier answers are left out, as the providers that think leave them out.
    """
    if conversation.tools:
        raise unsupported("tools", NO_TOOLS)
    if conversation.response_format is not None:
        raise unsupported("response_format", 'the embedded engine answers in plain text only: {"type": "text"}.')
    return tuple(_plain(message, conversation.place(i)) for i, message in enumerate(conversation.messages))


def _plain(message: ConversationMessage, place: str) -> Message:
    texts = []
    for j, part in enumerate(message.parts):
        match part:
            case Text():
                texts.append(part.text)
            case Thinking():
                pass
            case ToolCall():
                raise unsupported(
                    f"{place}.tool_calls", "the embedded engine calls no tools. Write the call as text instead."
                )
            case Image():
                raise _unread(f"{place}.content[{j}]", "image")
            case Opaque():
                raise _unread(f"{place}.content[{j}]", part.type)
            case _:
                for k, inner in enumerate(part.content):
                    if isinstance(inner, Image):
                        raise _unread(f"{place}.content[{j}].content[{k}]", "image")
                    texts.append(inner.text)
    return Message(role=message.role, content="".join(texts), name=message.name)


def _unread(place: str, kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid value for '{place}.type': '{shown(kind)}'. The embedded engine reads text only: 'text'.",
        param=f"{place}.type",
        code="invalid_value",
    )
