"""Hermes and Qwen: each call an object of its own, between `<tool_call>` and `</tool_call>` on lines of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from radixa.core.base import Message
from radixa.models.tools.base import CallReader, Need, OfferedTool, ToolForm
from radixa.models.tools.lark import call_rules
from radixa.models.tools.reading import JsonCalls

MARKER, END = "<tool_call>", "</tool_call>"


def _messages(messages: Sequence[Message], tools: Sequence[OfferedTool]) -> list[Message]:
    return list(messages)


def _lark(tools: Sequence[OfferedTool], need: Need, several: bool, token: Callable[[str], str]) -> str:
    begin, end = token(MARKER), token(END)
    more = r'("\n" one)*' if several else ""
    if need == "must":
        start = f"start: one {more}\none: {begin} body"
    elif begin.startswith("<"):
        start = f"start: TEXT | TEXT {begin} body {more}\none: {begin} body\nTEXT: /(.|\\n)*/"
    else:
        # The text ends where a call begins: the shortest that does.
        start = f"start: TEXT | first body {more}\nfirst[lazy]: TEXT {begin}\none: {begin} body\nTEXT: /(.|\\n)*/"
    return f'{start}\nbody: "\\n" call "\\n" {end}\n{call_rules(tools, "arguments")}'


def _reader(new_id: Callable[[], str]) -> CallReader:
    return JsonCalls(MARKER, "arguments", new_id)


HERMES = ToolForm("hermes", MARKER, _messages, _lark, _reader)
