"""Pieces of grammars that the forms of tool calls share, in llguidance's form of Lark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from radixa.models.tools.base import OfferedTool

GUIDANCE = "x-guidance"
"""The keyword by which a schema tells llguidance how its JSON is written."""

LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""One line, as most models write JSON: a weak one that may put white space anywhere puts nothing else."""


def guided(schema: Any, *, lenient: bool) -> dict[str, Any]:
    """The schema with how its JSON is to be written, which it may itself say otherwise."""
    if not isinstance(schema, dict):
        schema = {} if schema is True else {"anyOf": []}
    own = schema.get(GUIDANCE)
    # A draft's name says nothing here, and one that llguidance does not know it would want to fetch.
    kept = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    return kept | {GUIDANCE: LAYOUT | ({"lenient": True} if lenient else {}) | (own if isinstance(own, dict) else {})}


def schema_rule(schema: Any, *, lenient: bool) -> str:
    """JSON of a schema, as a part of a rule."""
    return f"%json {json.dumps(guided(schema, lenient=lenient), ensure_ascii=False)}"


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
