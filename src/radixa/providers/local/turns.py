"""Whose words a rendered prompt holds: where the template put each message.

A template may trim a message, put a default system prompt before the first, or move one elsewhere. So it is rendered a
second time, with a mark in place of each content: what lies between the marks are the template's own words. Where the
prompt is not exactly those words and the contents between them, the contents are searched for in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from radixa.core.base import Message, Role
from radixa.core.errors import InvalidRequest
from radixa.models.base import ChatTemplate

_MARK = re.compile("\x00(\\d+)\x00")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_MOST_LOST = 16
"""Messages that are looked for in vain: each of them costs a search of the whole rest."""
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class Turn(NamedTuple):
    """Where a message's content stands in a rendered prompt, in characters; `message` is its index."""

    start: int
    end: int
    message: int


def turns(
    template: ChatTemplate,
    messages: Sequence[Message],
    text: str,
    *,
    add_generation_prompt: bool,
    tools: Sequence[dict[str, Any]] = (),
) -> list[Turn]:
    """Where the contents of `messages` stand in `text`, which `template` rendered of them, in the order of the text.

    A message that the template changed beyond trimming it, or left out, is missing.
    """
    marked = [replace(m, content=f"\x00{i}\x00") for i, m in enumerate(messages)]
    try:
        # A template that looks into a content may refuse the marks.
        pieces = _MARK.split(template.render(marked, add_generation_prompt=add_generation_prompt, tools=tools))
    except InvalidRequest:
        pieces = []
    found = _between(pieces, messages, text)
    return _searched(messages, text) if found is None else found


def _between(pieces: Sequence[str], messages: Sequence[Message], text: str) -> list[Turn] | None:
    """The contents between the template's own words; `pieces` are words, number, words, number, … and words.

    None where they do not make up the text exactly.
    """
    if len(pieces) != 2 * len(messages) + 1 or not text.startswith(pieces[0]):
        return None
    at = len(pieces[0])
    found: list[Turn] = []
    seen = set()
    for number, words in zip(pieces[1::2], pieces[2::2], strict=True):
        index = int(number)
        if index in seen or index >= len(messages):
            return None
        seen.add(index)
        for content in _forms(messages[index].content):
            if text.startswith(content, at) and text.startswith(words, at + len(content)):
                found.append(Turn(at, at + len(content), index))
                at += len(content) + len(words)
                break
        else:
            return None
    return found if at == len(text) else None


def _searched(messages: Sequence[Message], text: str) -> list[Turn]:
    found = []
    at = lost = 0
    for index, message in enumerate(messages):
        for content in _forms(message.content):
            start = text.find(content, at) if content else -1
            if start >= 0:
                at = start + len(content)
                found.append(Turn(start, at, index))
                break
        else:
            lost += 1
            if lost == _MOST_LOST:
                break
    return found


def _forms(content: str) -> Iterator[str]:
    """What a template may make of a content: as it is, trimmed, and without the thoughts before it."""
    yield content
    yield content.strip()
    if "</think>" in content:
        yield content.rpartition("</think>")[2].strip()


def spans(found: Sequence[Turn], messages: Sequence[Message], text: str) -> list[tuple[int, Role]]:
    """Where the spans of the prompt end, in characters, and whose they are.

    The template's words before a content belong to its span. `<think>…</think>` in an assistant's message is a span of
    its own.
    """
    ends: list[tuple[int, Role]] = []
    for turn in found:
        role = _ROLES.get(messages[turn.message].role, "")
        if role == "assistant":
            for thought in _THOUGHT.finditer(text, turn.start, turn.end):
                ends += [(thought.start(), "assistant"), (thought.end(), "thinking")]
        if not ends or turn.end > ends[-1][0]:
            ends.append((turn.end, role))
    return ends
