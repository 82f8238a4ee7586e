"""What a form of tool calls is: how tools and calls are written for a model, and how its calls are read.

While tools are offered, a grammar holds the answer to the form: what a reader meets is well-formed, or cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from radixa.core.base import Message, ToolCallDelta


class OfferedTool(msgspec.Struct, frozen=True):
    """A tool the answer may call; `parameters` is its JSON schema, decoded."""

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False

    def spec(self) -> dict[str, Any]:
        """As templates take it: OpenAI's own form."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


Need = Literal["may", "must"]
"""Whether the answer may call tools or must."""


class Reading(msgspec.Struct, frozen=True):
    """What a piece of an answer came to."""

    text: str = ""
    calls: tuple[ToolCallDelta, ...] = ()


class CallReader(Protocol):
    """Takes one answer's text apart, as it comes, into words and calls."""

    called: bool
    """Whether a call has begun."""

    def add(self, text: str) -> Reading: ...

    def end(self) -> Reading:
        """What was held back, since it could have begun a call."""
        ...


def _unchanged(messages: Sequence[Message], tools: Sequence[OfferedTool]) -> list[Message]:
    return list(messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolForm:
    """One form. Its functions are pure."""

    name: str
    marker: str
    """What a call begins with; a special token in some vocabularies."""
    lark: Callable[[Sequence[OfferedTool], Need, bool, Callable[[str], str]], str]
    """The grammar of an answer: the tools, whether one must be called, whether several may be, and how a text that may
    be a special token is written."""
    reader: Callable[[Callable[[], str]], CallReader]
    """A reader of one answer; it is given what makes the ids of calls."""
    messages: Callable[[Sequence[Message], Sequence[OfferedTool]], list[Message]] = _unchanged
    """Messages as the template takes them: calls and results in its own way, or as text where it knows none."""
    one_call: bool = False
    """The family knows no second call in one answer."""
    in_template: bool = True
    """The template itself describes the tools."""
