"""Tools, how they are chosen, and the shape an answer must have, as chat completions write them."""

from __future__ import annotations

from typing import Literal

import msgspec

from radixa.core.conversation import ResponseFormat, Tool, ToolChoice
from radixa.core.errors import unsupported
from radixa.gateway.errors import missing
from radixa.gateway.wishes import Ephemeral

_EMPTY = msgspec.Raw(b"{}")


def _no_schema() -> msgspec.Raw:
    return _EMPTY


class FunctionBody(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.field(default_factory=_no_schema)
    strict: bool | None = None


class ToolBody(msgspec.Struct, frozen=True):
    type: str
    function: FunctionBody | None = None
    cache_control: Ephemeral | None = None


class NamedFunction(msgspec.Struct, frozen=True):
    name: str


class NamedTool(msgspec.Struct, frozen=True):
    type: Literal["function"]
    function: NamedFunction


class SchemaBody(msgspec.Struct, frozen=True):
    name: str
    schema: msgspec.Raw = msgspec.field(default_factory=_no_schema)
    strict: bool | None = None


class FormatBody(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaBody | None = None


def tools(found: list[ToolBody]) -> tuple[Tool, ...]:
    return tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(found))


def _tool(tool: ToolBody, where: str) -> Tool:
    if tool.type != "function":
        raise unsupported(f"{where}.type", f"'{tool.type}' is a tool of one provider alone. Expected 'function'.")
    if tool.function is None:
        raise missing(f"{where}.function")
    mark = None if tool.cache_control is None else tool.cache_control.ttl or "5m"
    function = tool.function
    return Tool(function.name, function.description or "", function.parameters, function.strict, mark)


def tool_choice(found: Literal["auto", "none", "required"] | NamedTool | None) -> ToolChoice | None:
    if found is None:
        return None
    return ToolChoice(found) if isinstance(found, str) else ToolChoice("tool", found.function.name)


def response_format(found: FormatBody | None) -> ResponseFormat | None:
    """None for plain text."""
    if found is None or found.type == "text":
        return None
    if found.type == "json_object":
        return ResponseFormat("json_object")
    schema = found.json_schema
    if schema is None:
        raise missing("response_format.json_schema")
    return ResponseFormat(
        "json_schema", schema.name, schema.schema, schema.strict, place="response_format.json_schema.schema"
    )
