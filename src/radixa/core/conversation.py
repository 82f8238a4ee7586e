"""A conversation as every API here understands it: messages of parts, tools, and what the answer may look like.

OpenAI's and Anthropic's bodies are read into this, and every provider writes its own form out of it. Where caller and
provider speak the same dialect the body itself goes on instead (`core.base.Source`), so that nothing is lost.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Breakpoint = Literal["5m", "30m", "1h", "12h"]
"""How long the prompt up to and including a part is to be kept: Anthropic's and OpenAI's explicit breakpoints."""

ConversationRole = Literal["system", "user", "assistant", "tool"]


class Text(msgspec.Struct, frozen=True, tag_field="part", omit_defaults=True):
    text: str
    breakpoint: Breakpoint | None = None


class Image(msgspec.Struct, frozen=True, tag_field="part", omit_defaults=True):
    """By `url`, or as base64 `data` with its `media_type`. The gateway fetches nothing: a provider does, or refuses."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    detail: str = ""
    breakpoint: Breakpoint | None = None


class ToolCall(msgspec.Struct, frozen=True, tag_field="part", omit_defaults=True):
    """A call that the assistant made; `arguments` is JSON text, as it came."""

    id: str
    name: str
    arguments: str
    breakpoint: Breakpoint | None = None


class ToolResult(msgspec.Struct, frozen=True, tag_field="part", omit_defaults=True):
    """What the tool answered to the call of that id."""

    call_id: str
    content: tuple[Text | Image, ...]
    error: bool = False
    breakpoint: Breakpoint | None = None


class Thinking(msgspec.Struct, frozen=True, tag_field="part", omit_defaults=True):
    """The assistant's reasoning; `signature` is the provider's own proof of it, `redacted` its sealed form."""

    text: str
    signature: str = ""
    redacted: str = ""


class Opaque(msgspec.Struct, frozen=True, tag_field="part", omit_defaults=True):
    """A part that only its own dialect knows (a document, a sound): whoever is asked in another one refuses it."""

    type: str


Part = Text | Image | ToolCall | ToolResult | Thinking | Opaque


class ConversationMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    role: ConversationRole
    parts: tuple[Part, ...]
    name: str | None = None


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function that may be called; `parameters` is its JSON schema."""

    name: str
    description: str = ""
    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    strict: bool | None = None
    breakpoint: Breakpoint | None = None


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""
    """Of the one tool that must be called, where the mode is `tool`."""


class ResponseFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the answer must be: any JSON object, or one of a schema."""

    type: Literal["json_object", "json_schema"]
    name: str = ""
    schema: msgspec.Raw = msgspec.Raw(b"{}")
    strict: bool | None = None
    place: str = "response_format"
    """Where it, or its schema, stands in the caller's body, as an error names it."""


class Conversation(msgspec.Struct, frozen=True, omit_defaults=True):
    messages: tuple[ConversationMessage, ...]
    """System messages stand where the caller put them, Anthropic's `system` first."""
    field: str = "messages"
    """What the caller's body calls the list: errors name it."""
    leading: str = ""
    """The body's own field for what its first message says, such as `system`; empty where the list has all."""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    """None is plain text."""
    effort: str | None = None
    """OpenAI's `reasoning_effort`."""
    thinking_tokens: int | None = None
    """Anthropic's thinking budget; 0 is thinking switched off, None says nothing."""

    def place(self, index: int, part: int | None = None) -> str:
        """Where the message of that index, or a part of it, stands in the caller's body, as an error names it."""
        if part is not None:
            return f"{self.place(index)}.content[{part}]"
        if self.leading:
            return f"{self.field}[{index - 1}]" if index else self.leading
        return f"{self.field}[{index}]"
