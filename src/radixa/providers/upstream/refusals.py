"""Refusing what a provider cannot be asked for."""

from __future__ import annotations

from radixa.core.conversation import Conversation
from radixa.core.errors import InvalidRequest, unsupported

__all__ = ["unsupported", "unsupported_part"]


def unsupported_part(conversation: Conversation, message: int, part: int, what: str) -> InvalidRequest:
    """A part of a message that cannot be served; `what` says whose limit that is and what to send instead."""
    return unsupported(f"{conversation.place(message)}.content[{part}]", what)
