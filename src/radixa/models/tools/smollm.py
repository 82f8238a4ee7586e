"""SmolLM2's own form, and that of every template that knows no tools: a system prompt describes them.

Calls are one array between `<tool_call>` and `</tool_call>`. Results come back as a user's message between
`<tool_response>` and `</tool_response>`, since such templates know no other role for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from radixa.core.base import Message
from radixa.models.tools.base import Need, OfferedTool, ToolForm
from radixa.models.tools.lark import array_rules
from radixa.models.tools.reading import JsonCalls

MARKER, END = "<tool_call>", "</tool_call>"

_PROMPT = """\
You can call functions. These are there:
<tools>{tools}</tools>

To call one or more of them, answer in exactly this form:
<tool_call>[{{"name": "first_function", "arguments": {{"argument": "value"}}}}, ...]</tool_call>
If none of them helps, or an argument is not known, answer in words."""


def _messages(messages: Sequence[Message], tools: Sequence[OfferedTool]) -> list[Message]:
    found: list[Message] = []
    for message in messages:
        if message.tool_calls:
            calls = [
                {"name": call.name, "arguments": msgspec.json.decode(call.arguments)} for call in message.tool_calls
            ]
            content = f"{message.content}{MARKER}{json.dumps(calls, ensure_ascii=False)}{END}"
            found.append(replace(message, content=content, tool_calls=()))
        elif message.role == "tool":
            content = f"<tool_response>{message.content}</tool_response>"
            found.append(Message("user", content))
        else:
            found.append(message)
    if tools:
        said = _PROMPT.format(tools=json.dumps([tool.spec() for tool in tools], ensure_ascii=False))
        if found and found[0].role == "system":
            found[0] = replace(found[0], content=f"{found[0].content}\n\n{said}")
        else:
            found.insert(0, Message("system", said))
    return found


def _lark(tools: Sequence[OfferedTool], need: Need, several: bool, token: Callable[[str], str]) -> str:
    return array_rules(tools, need, several, token(MARKER), token(END))


SMOLLM = ToolForm(
    name="smollm",
    marker=MARKER,
    lark=_lark,
    reader=partial(JsonCalls, MARKER, "arguments"),
    messages=_messages,
    in_template=False,
)
