"""What an upstream that knows conversations only is asked."""

from __future__ import annotations

from radixa.core.base import GenerateRequest
from radixa.core.conversation import Conversation, ConversationMessage, Text
from radixa.core.errors import unsupported


def conversation_of(request: GenerateRequest, who: str) -> Conversation:
    """The request's conversation, or its prompt as what a user says. `who` reads no token ids: InvalidRequest."""
    if request.conversation is not None:
        return request.conversation
    if request.prompt is None:
        raise unsupported("prompt", f"{who} reads texts, not token ids.")
    return Conversation((ConversationMessage("user", (Text(request.prompt),)),), field="prompt", leading="prompt")
