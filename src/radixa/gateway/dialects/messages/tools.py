"""Tools and how they are chosen, as Anthropic's API has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from radixa.core.conversation import Tool, ToolChoice
from radixa.core.errors import shown, unsupported
from radixa.gateway.base import encode
from radixa.gateway.errors import missing
from radixa.gateway.wishes import Ephemeral, Mark


class ToolBody(msgspec.Struct, frozen=True):
    """A function of the caller's, or, by another `type`, a tool that Anthropic runs itself."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, msgspec.Raw] | None = None
    strict: bool | None = None
    cache_control: Ephemeral | None = None


class ToolChoiceBody(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


def tools(found: Sequence[ToolBody]) -> tuple[Tool, ...]:
    """InvalidRequest names the tool that cannot be."""
    return tuple(_tool(tool, f"tools[{i}]") for i, tool in enumerate(found))


def marks(found: Sequence[ToolBody]) -> Iterator[Mark]:
    for i, tool in enumerate(found):
        if tool.cache_control is not None:
            yield Mark(f"tools[{i}].cache_control", tool.cache_control.seconds)


def _tool(tool: ToolBody, where: str) -> Tool:
    if tool.type not in (None, "custom"):
        raise unsupported(
            f"{where}.type", f"'{shown(tool.type)}' is a tool of Anthropic's own. Expected 'custom', or no type."
        )
    if not tool.name:
        raise missing(f"{where}.name")
    if tool.input_schema is None:
        raise missing(f"{where}.input_schema")
    mark = None if tool.cache_control is None else tool.cache_control.ttl or "5m"
    return Tool(tool.name, tool.description or "", msgspec.Raw(encode(tool.input_schema)), tool.strict, mark)


def tool_choice(found: ToolChoiceBody | None) -> ToolChoice | None:
    if found is None:
        return None
    match found.type:
        case "any":
            return ToolChoice("required")
        case "tool":
            if not found.name:
                raise missing("tool_choice.name")
            return ToolChoice("tool", found.name)
    return ToolChoice(found.type)


def parallel(found: ToolChoiceBody | None) -> bool | None:
    """Whether several tools may be called at once; None where nothing is said."""
    if found is None or found.disable_parallel_tool_use is None:
        return None
    return not found.disable_parallel_tool_use
