"""Llama 3: the whole answer is one call, an object of a name and `parameters`, with or without `<|python_tag|>`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from radixa.models.tools.base import Need, OfferedTool, ToolForm
from radixa.models.tools.lark import call_rules
from radixa.models.tools.reading import JsonCalls

MARKER = "<|python_tag|>"


def _lark(tools: Sequence[OfferedTool], need: Need, several: bool, token: Callable[[str], str]) -> str:
    # Of the two ways it is the one without the tag that its template asks for.
    start = "start: call" if need == "must" else "start: call | TEXT\nTEXT: /([^{](.|\\n)*)?/"
    return f"{start}\n{call_rules(tools, 'parameters')}"


LLAMA = ToolForm(
    name="llama",
    marker=MARKER,
    lark=_lark,
    reader=partial(JsonCalls, MARKER, "parameters", bare=True),
    one_call=True,
)
