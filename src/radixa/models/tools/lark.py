"""Pieces of grammars that the forms of tool calls share, in llguidance's form of Lark."""

from __future__ import annotations

import json
from collections.abc import Sequence

from radixa.models.tools.base import OfferedTool
from radixa.models.tools.schemas import schema_rule


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def call_rules(tools: Sequence[OfferedTool], arguments: str, rest: str = '"}"') -> str:
    """The rule `call`: an object of a tool's name and its arguments; `rest` closes it."""
    rules = ["call: " + " | ".join(f"call_{i}" for i in range(len(tools)))]
    for i, tool in enumerate(tools):
        head = f'{{"name": {quoted(tool.name)}, "{arguments}": '
        rules.append(f"call_{i}: {quoted(head)} args_{i} {rest}")
        rules.append(f"args_{i}: {arguments_rule(tool)}")
    return "\n".join(rules)


def arguments_rule(tool: OfferedTool) -> str:
    """The tool's arguments: an object of its schema, or any object."""
    return schema_rule({"type": "object", **tool.parameters}, lenient=not tool.strict)
