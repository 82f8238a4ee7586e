"""Input items as OpenAI's responses have them, and the messages of a conversation they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from radixa.core.conversation import (
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
from radixa.core.errors import InvalidRequest, shown, unsupported
from radixa.gateway.dialects.parts import ROLES, breakpoint_of, image, marks_of, required
from radixa.gateway.errors import missing
from radixa.gateway.wishes import Breakpoint as BreakpointBody
from radixa.gateway.wishes import Ephemeral, Mark

_TEXTS = ("input_text", "output_text", "text", "reasoning_text", "summary_text")


class PartBody(msgspec.Struct, frozen=True):
    """A piece of a message's content, of a function's output or of a thought."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    cache_control: Ephemeral | None = None
    prompt_cache_breakpoint: BreakpointBody | None = None


class ItemBody(msgspec.Struct, frozen=True):
    """An item of any type, with the fields of those that are read here. Without a type it is a message."""

    type: str | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | list[PartBody] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[PartBody] | None = None
    summary: list[PartBody] | None = None
    encrypted_content: str | None = None


class ItemConversation(Conversation, frozen=True, kw_only=True):
    """A conversation whose messages may each be several items."""

    starts: tuple[int, ...]
    """Where each message of `input` begins there."""

    def place(self, index: int, part: int | None = None) -> str:
        if part is not None or (self.leading and not index):
            return super().place(index, part)
        return f"{self.field}[{self.starts[index - bool(self.leading)]}]"


def messages(items: Sequence[ItemBody]) -> tuple[list[ConversationMessage], list[int]]:
    """The messages, and the index of the item each begins with. InvalidRequest names the item that cannot be.

    A thought, the calls that follow it and the text beside them are one turn of the assistant's, as every other API
    has it.
    """
    found: list[ConversationMessage] = []
    starts: list[int] = []
    joins = False
    for i, item in enumerate(items):
        message = _message(item, f"input[{i}]")
        part_of_turn = item.type in ("function_call", "reasoning")
        if found and message.role == found[-1].role == "assistant" and (joins or part_of_turn):
            found[-1] = ConversationMessage("assistant", found[-1].parts + message.parts)
        else:
            found.append(message)
            starts.append(i)
        joins = part_of_turn
    return found, starts


def marks(items: Sequence[ItemBody]) -> Iterator[Mark]:
    """What the breakpoints on the parts of messages and outputs ask for, OpenAI's and Anthropic's."""
    for i, item in enumerate(items):
        for field in ("content", "output"):
            content = getattr(item, field)
            for j, part in enumerate(content if isinstance(content, list) else ()):
                yield from marks_of(part, f"input[{i}].{field}[{j}]")


def _message(item: ItemBody, where: str) -> ConversationMessage:
    match item.type:
        case None | "message":
            role = ROLES[required(item.role, f"{where}.role")]
            return ConversationMessage(role, _content(item.content, f"{where}.content"))
        case "function_call":
            call_id, name = required(item.call_id, f"{where}.call_id"), required(item.name, f"{where}.name")
            call = ToolCall(call_id, name, required(item.arguments, f"{where}.arguments"))
            return ConversationMessage("assistant", (call,))
        case "function_call_output":
            call_id = required(item.call_id, f"{where}.call_id")
            return ConversationMessage("tool", (ToolResult(call_id, _output(item.output, f"{where}.output")),))
        case "reasoning":
            return ConversationMessage("assistant", (_thinking(item, where),))
        case "item_reference":
            raise unsupported(f"{where}.type", "this server stores no items. Expected the item itself.")
    raise InvalidRequest(
        f"Invalid value for '{where}.type': '{shown(item.type)}'. This model takes: 'message', 'function_call', "
        "'function_call_output' and 'reasoning'.",
        param=f"{where}.type",
        code="invalid_value",
    )


def _content(content: str | list[PartBody] | None, where: str) -> tuple[Part, ...]:
    """One part each, so that their places are the caller's."""
    if isinstance(content, str):
        return (Text(content),)
    if content is None:
        raise missing(where)
    return tuple(_part(part, f"{where}[{i}]") or Opaque(part.type) for i, part in enumerate(content))


def _part(part: PartBody, where: str) -> Text | Image | None:
    """None for what only OpenAI reads: files, sounds, images that lie in its own store."""
    mark = breakpoint_of(part)
    if part.type in _TEXTS:
        return Text(required(part.text, f"{where}.text"), mark)
    if part.type == "refusal":
        return Text(required(part.refusal, f"{where}.refusal"), mark)
    if part.type == "input_image" and part.image_url is not None:
        return image(part.image_url, part.detail or "", mark)
    return None


def _output(output: str | list[PartBody] | None, where: str) -> tuple[Text | Image, ...]:
    if isinstance(output, str):
        return (Text(output),)
    if output is None:
        raise missing(where)
    found = []
    for i, body in enumerate(output):
        part = _part(body, f"{where}[{i}]")
        if part is None:
            raise InvalidRequest(
                f"Invalid value for '{where}[{i}].type': '{shown(body.type)}'. This model reads text and images in a "
                "function's output: 'input_text' and 'input_image' (by URL).",
                param=f"{where}[{i}].type",
                code="invalid_value",
            )
        found.append(part)
    return tuple(found)


def _thinking(item: ItemBody, where: str) -> Thinking:
    """`encrypted_content` is the proof of the thought beside it, or the thought itself where there is none."""
    content = item.content if isinstance(item.content, list) else []
    text = "".join(required(part.text, f"{where}.content") for part in content or item.summary or ())
    sealed = item.encrypted_content or ""
    return Thinking(text, signature=sealed if text else "", redacted="" if text else sealed)
