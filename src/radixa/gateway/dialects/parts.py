"""What bodies of different dialects write alike: fields that must be there, images by URL, breakpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from radixa.core.conversation import Breakpoint, ConversationRole, Image
from radixa.gateway.errors import missing
from radixa.gateway.wishes import Breakpoint as BreakpointBody
from radixa.gateway.wishes import Ephemeral, Mark

T = TypeVar("T")

ROLES: dict[str, ConversationRole] = {
    "system": "system",
    # OpenAI's newer word for it.
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


class Marked(Protocol):
    """A part that may have a breakpoint of Anthropic's kind, or of OpenAI's."""

    @property
    def cache_control(self) -> Ephemeral | None: ...
    @property
    def prompt_cache_breakpoint(self) -> BreakpointBody | None: ...


def required(value: T | None, where: str) -> T:
    """InvalidRequest where there is none."""
    if value is None:
        raise missing(where)
    return value


def breakpoint_of(part: Marked) -> Breakpoint | None:
    if part.cache_control is not None:
        return part.cache_control.ttl or "5m"
    if part.prompt_cache_breakpoint is not None:
        return part.prompt_cache_breakpoint.ttl or "30m"
    return None


def marks_of(part: Marked, where: str) -> Iterator[Mark]:
    """What the breakpoints on the part ask for."""
    if part.cache_control is not None:
        yield Mark(f"{where}.cache_control", part.cache_control.seconds)
    if part.prompt_cache_breakpoint is not None:
        yield Mark(f"{where}.prompt_cache_breakpoint", part.prompt_cache_breakpoint.seconds)


def image(url: str, detail: str, mark: Breakpoint | None) -> Image:
    """A `data:` URL of base64 in its parts; any other as it is."""
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        media_type = head.removeprefix("data:").removesuffix(";base64")
        return Image(media_type=media_type, data=data, detail=detail, breakpoint=mark)
    return Image(url=url, detail=detail, breakpoint=mark)
