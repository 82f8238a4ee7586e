"""Mistral: `[TOOL_CALLS]`, a token of its own, and an array of calls; ids of nine letters and digits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from radixa.core.base import Message
from radixa.models.tools.base import Need, OfferedTool, ToolForm
from radixa.models.tools.lark import array_rules
from radixa.models.tools.reading import JsonCalls

MARKER = "[TOOL_CALLS]"


def _messages(messages: Sequence[Message], tools: Sequence[OfferedTool]) -> list[Message]:
    """Its templates refuse any other ids, so those of callers are cut down to that: the same to the same."""
    return [
        replace(
            message,
            tool_calls=tuple(replace(call, id=_short(call.id)) for call in message.tool_calls),
            tool_call_id=None if message.tool_call_id is None else _short(message.tool_call_id),
        )
        for message in messages
    ]


def _short(call_id: str) -> str:
    if len(call_id) == 9 and call_id.isascii() and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]


def _lark(tools: Sequence[OfferedTool], need: Need, several: bool, token: Callable[[str], str]) -> str:
    return array_rules(tools, need, several, token(MARKER))


MISTRAL = ToolForm(
    name="mistral", marker=MARKER, lark=_lark, reader=partial(JsonCalls, MARKER, "arguments"), messages=_messages
)
