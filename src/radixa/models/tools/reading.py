"""Reading calls out of an answer that comes piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable

from radixa.core.base import ToolCallDelta
from radixa.models.tools.base import Reading


class JsonCalls:
    """Implements `CallReader` for calls that are objects of a name and arguments, in this order.

    After `marker` everything is calls and what stands between them. Arguments are passed on as they are written, up to
    the brace that closes them.
    """

    def __init__(self, marker: str, arguments: str, new_id: Callable[[], str], *, bare: bool = False) -> None:
        """`arguments`: what the field is called. `bare`: an answer whose first character is a brace is a call too."""
        self.called = False
        self._marker = marker
        self._name, self._arguments = '{"name": ', f', "{arguments}": '
        self._new_id = new_id
        self._bare = bare
        self._held = ""
        """Not yet passed on."""
        self._state = "start" if bare else "text"
        self._position = -1
        self._value = _Value()

    def add(self, text: str) -> Reading:
        self._held += text
        words, calls = "", []
        while self._held:
            before = (self._state, len(self._held))
            match self._state:
                case "start":
                    self._state = "between" if self._held[0] == "{" else "text"
                case "text":
                    words += self._text()
                case "between":
                    self._between()
                case "name":
                    calls += self._named()
                case _:
                    calls += self._more()
            if (self._state, len(self._held)) == before:
                break
        return Reading(words, _joined(calls))

    def end(self) -> Reading:
        """An unfinished marker was text; an unfinished name is nothing that could be called."""
        words, self._held = (self._held if self._state == "text" else ""), ""
        return Reading(words)

    def _text(self) -> str:
        at = self._held.find(self._marker)
        if at >= 0:
            words, self._held = self._held[:at], self._held[at + len(self._marker) :]
            self._state = "between"
            return words
        keep = next((n for n in range(len(self._marker) - 1, 0, -1) if self._held.endswith(self._marker[:n])), 0)
        end = len(self._held) - keep
        words, self._held = self._held[:end], self._held[end:]
        return words

    def _between(self) -> None:
        at = self._held.find("{")
        self._held = self._held[at:] if at >= 0 else ""
        if at >= 0:
            self._state = "name"

    def _named(self) -> list[ToolCallDelta]:
        """The call begins once its name is there, and what its arguments begin with."""
        at = self._held.find(self._arguments)
        if at < 0:
            return []
        name = json.loads(self._held[len(self._name) : at])
        self._held = self._held[at + len(self._arguments) :]
        self.called = True
        self._position += 1
        self._value = _Value()
        self._state = "arguments"
        return [ToolCallDelta(self._position, self._new_id(), name)]

    def _more(self) -> list[ToolCallDelta]:
        end = self._value.end(self._held)
        part, rest = (self._held, "") if end is None else (self._held[:end], self._held[end:])
        self._held = rest
        if end is not None:
            # The brace that closes the call itself is passed over between calls.
            self._state = "between"
        return [ToolCallDelta(self._position, arguments=part)]


class _Value:
    """Finds where a JSON object ends in text that comes piece by piece."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._escaped = False

    def end(self, text: str) -> int | None:
        """How much of `text` belongs to it; None for all, and it goes on."""
        for at, character in enumerate(text):
            if self._quoted:
                if self._escaped:
                    self._escaped = False
                elif character == "\\":
                    self._escaped = True
                elif character == '"':
                    self._quoted = False
            elif character == '"':
                self._quoted = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if not self._depth:
                    return at + 1
        return None


def _joined(calls: list[ToolCallDelta]) -> tuple[ToolCallDelta, ...]:
    """A call's beginning and its first arguments in one piece."""
    found: list[ToolCallDelta] = []
    for call in calls:
        if found and found[-1].position == call.position and not call.id:
            last = found[-1]
            found[-1] = ToolCallDelta(last.position, last.id, last.name, last.arguments + call.arguments)
        else:
            found.append(call)
    return tuple(found)
