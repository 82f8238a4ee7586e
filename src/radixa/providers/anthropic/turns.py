"""A conversation's messages as Anthropic takes them: a system prompt, and turns of user and assistant."""

from __future__ import annotations

import re
from typing import Any

from radixa.core.conversation import (
    Breakpoint,
    Conversation,
    ConversationMessage,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from radixa.core.errors import unsupported
from radixa.providers.arguments import arguments_of

Json = dict[str, Any]

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]", re.ASCII)


def turns(conversation: Conversation) -> tuple[list[Json], list[Json]]:
    """System blocks, and messages. InvalidRequest names a part that Anthropic does not take.

    What a system message says before the first turn is the system prompt; later ones are said by the user where they
    stand, since a system prompt that changes would take everything after it out of the cache. Turns of one role that
    follow each other are one.
    """
    system: list[Json] = []
    messages: list[Json] = []
    for index, message in enumerate(conversation.messages):
        blocks = _blocks(conversation, index, message)
        if message.role == "system" and not messages:
            system += blocks
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    for turn in messages:
        # Results of tools come first in a turn.
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return system, messages


def control(wanted: Breakpoint) -> Json:
    """The breakpoint that keeps a prompt at least that long, as far as there is one."""
    return {"type": "ephemeral"} if wanted == "5m" else {"type": "ephemeral", "ttl": "1h"}


def _blocks(conversation: Conversation, index: int, message: ConversationMessage) -> list[Json]:
    blocks: list[Json] = []
    for number, part in enumerate(message.parts):
        if isinstance(part, Text) and not part.text and len(message.parts) > 1:
            continue
        block = _block(conversation, index, number, part)
        if block is None:
            continue
        wanted = None if isinstance(part, Thinking | Opaque) else part.breakpoint
        if wanted is not None:
            block["cache_control"] = control(wanted)
        blocks.append(block)
    return blocks


def _block(conversation: Conversation, index: int, number: int, part: Part) -> Json | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return _image(conversation, index, number, part)
        case ToolCall():
            return {
                "type": "tool_use",
                "id": _id(part.id),
                "name": part.name,
                "input": arguments_of(part, conversation.place(index)),
            }
        case ToolResult():
            content = [
                {"type": "text", "text": each.text}
                if isinstance(each, Text)
                else _image(conversation, index, number, each)
                for each in part.content
                if not isinstance(each, Text) or each.text
            ]
            block: Json = {"type": "tool_result", "tool_use_id": _id(part.call_id), "content": content}
            return block | {"is_error": True} if part.error else block
        case Thinking():
            if part.redacted:
                return {"type": "redacted_thinking", "data": part.redacted}
            # Without its proof, Anthropic refuses what a model thought; another provider's has none.
            signed = {"type": "thinking", "thinking": part.text, "signature": part.signature}
            return signed if part.signature else None
        case Opaque():
            raise unsupported(
                conversation.place(index, number), f"Anthropic takes no part of type '{part.type}' in this form."
            )


def _image(conversation: Conversation, index: int, number: int, image: Image) -> Json:
    if not image.data:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    if image.media_type not in _IMAGES:
        raise unsupported(
            conversation.place(index, number),
            f"an image of type '{image.media_type}'. Anthropic takes {', '.join(_IMAGES)}.",
        )
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}


def _id(given: str) -> str:
    """A call's id in the characters that Anthropic allows; the same for the call and its result."""
    return _NOT_IN_IDS.sub("_", given) or "call"
