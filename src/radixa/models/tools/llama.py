"""Llama 3: the whole answer is one call, an object of a name and `parameters`, with or without `<|python_tag|>`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from radixa.core.base import Message
from radixa.models.tools.base import CallReader, Need, OfferedTool, ToolForm
from radixa.models.tools.lark import call_rules
from radixa.models.tools.reading import JsonCalls

MARKER = "<|python_tag|>"


def _messages(messages: Sequence[Message], tools: Sequence[OfferedTool]) -> list[Message]:
    return list(messages)


def _lark(tools: Sequence[OfferedTool], need: Need, several: bool, token: Callable[[str], str]) -> str:
    # Of the two ways it is the one without the tag that its template asks for.
    start = "start: call" if need == "must" else "start: call | TEXT\nTEXT: /([^{](.|\\n)*)?/"
    return f"{start}\n{call_rules(tools, 'parameters')}"


def _reader(new_id: Callable[[], str]) -> CallReader:
    return JsonCalls(MARKER, "parameters", new_id, bare=True)


LLAMA = ToolForm("llama", MARKER, _messages, _lark, _reader, one_call=True)
