"""Tools, how they are chosen, and the shape an answer must have, as OpenAI's responses have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from radixa.core.conversation import ResponseFormat, Tool, ToolChoice
from radixa.core.errors import shown, unsupported
from radixa.gateway.base import encode
from radixa.gateway.errors import missing
from radixa.gateway.wishes import Ephemeral


class ToolBody(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, msgspec.Raw] | None = None
    strict: bool | None = None
    cache_control: Ephemeral | None = None


class ToolChoiceBody(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None


Choice = Literal["auto", "none", "required"] | ToolChoiceBody


class FormatBody(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, msgspec.Raw] | None = None
    strict: bool | None = None


class TextBody(msgspec.Struct, frozen=True):
    format: FormatBody | None = None
    verbosity: str | None = None


def tools(found: Sequence[ToolBody]) -> tuple[Tool, ...]:
    """InvalidRequest names the tool that cannot be."""
    return tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(found))


def _tool(tool: ToolBody, where: str) -> Tool:
    if tool.type != "function":
        raise unsupported(
            f"{where}.type", f"'{shown(tool.type)}' is a tool that OpenAI runs itself. Expected 'function'."
        )
    if not tool.name:
        raise missing(f"{where}.name")
    mark = None if tool.cache_control is None else tool.cache_control.ttl or "5m"
    return Tool(tool.name, tool.description or "", msgspec.Raw(encode(tool.parameters or {})), tool.strict, mark)


def tool_choice(found: Choice | None) -> ToolChoice | None:
    if found is None:
        return None
    if not isinstance(found, ToolChoiceBody):
        return ToolChoice(found)
    if found.type != "function":
        raise unsupported(
            "tool_choice.type", f"'{shown(found.type)}' is for OpenAI's own tools and models. Expected 'function'."
        )
    if not found.name:
        raise missing("tool_choice.name")
    return ToolChoice("tool", found.name)


def response_format(found: TextBody | None) -> ResponseFormat | None:
    """None for plain text."""
    form = None if found is None else found.format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return ResponseFormat("json_object", place="text.format")
    if not form.name:
        raise missing("text.format.name")
    if form.schema is None:
        raise missing("text.format.schema")
    schema = msgspec.Raw(encode(form.schema))
    return ResponseFormat("json_schema", form.name, schema, form.strict, place="text.format.schema")
