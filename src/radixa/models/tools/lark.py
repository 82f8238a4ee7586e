"""Pieces of grammars that the forms of tool calls share, in llguidance's form of Lark."""

from __future__ import annotations

import json
from collections.abc import Sequence

from radixa.models.tools.base import Need, OfferedTool
from radixa.models.tools.schemas import schema_rule


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def start_rules(need: Need, begin: str, calls: str) -> str:
    """The rule `start`: `begin` and `calls`, after any words, or words alone where no tool must be called.

    `begin`: the marker as a rule has it, a token of its own or a text.
    """
    if need == "must":
        return f"start: {begin} {calls}"
    words = "TEXT: /(.|\\n)*/"
    if begin.startswith("<"):
        return f"start: TEXT | TEXT {begin} {calls}\n{words}"
    # The text ends where a call begins: the shortest that does.
    return f"start: TEXT | first {calls}\nfirst[lazy]: TEXT {begin}\n{words}"


def array_rules(tools: Sequence[OfferedTool], need: Need, several: bool, begin: str, end: str = "") -> str:
    """The grammar of an answer whose calls are one array between `begin` and `end`."""
    more = '(", " call)*' if several else ""
    calls = f'calls: "[" call {more} "]" {end}'
    return f"{start_rules(need, begin, 'calls')}\n{calls}\n{call_rules(tools, 'arguments')}"


def call_rules(tools: Sequence[OfferedTool], arguments: str) -> str:
    """The rule `call`: an object of a tool's name and its arguments."""
    rules = ["call: " + " | ".join(f"call_{i}" for i in range(len(tools)))]
    for i, tool in enumerate(tools):
        head = f'{{"name": {quoted(tool.name)}, "{arguments}": '
        # Any object, where the tool has no schema.
        schema = schema_rule({"type": "object", **tool.parameters}, lenient=not tool.strict)
        rules += [f'call_{i}: {quoted(head)} args_{i} "}}"', f"args_{i}: {schema}"]
    return "\n".join(rules)
