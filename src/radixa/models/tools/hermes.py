"""Hermes and Qwen: each call an object of its own, between `<tool_call>` and `</tool_call>` on lines of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from radixa.models.tools.base import Need, OfferedTool, ToolForm
from radixa.models.tools.lark import call_rules, start_rules
from radixa.models.tools.reading import JsonCalls

MARKER, END = "<tool_call>", "</tool_call>"


def _lark(tools: Sequence[OfferedTool], need: Need, several: bool, token: Callable[[str], str]) -> str:
    begin, end = token(MARKER), token(END)
    more = f'("\\n" {begin} body)*' if several else ""
    body = f'body: "\\n" call "\\n" {end}'
    return f"{start_rules(need, begin, f'body {more}')}\n{body}\n{call_rules(tools, 'arguments')}"


HERMES = ToolForm(name="hermes", marker=MARKER, lark=_lark, reader=partial(JsonCalls, MARKER, "arguments"))
