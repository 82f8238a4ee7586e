"""How much a model is to think: OpenAI's efforts and Anthropic's budgets in Gemini's `thinkingConfig`.

Models up to 2.5 take a number of tokens (`thinkingBudget`), later ones a level (`thinkingLevel`), and both in one
request are refused. The budgets are those of Gemini's own OpenAI-compatible endpoint.
"""

from __future__ import annotations

from typing import Any

from radixa.core.conversation import Conversation
from radixa.core.errors import InvalidRequest

_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}
_LEVELS = {"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}
_AT_MOST = ((0, "minimal"), (4096, "low"), (16384, "medium"))
"""The level for a budget of at most so many tokens; above them, high."""


def by_budget(model: str) -> bool:
    """Whether the model is of a generation that counts its thinking in tokens, and that asks for no signatures."""
    name = model.rpartition("/")[2]
    return name.startswith(("gemini-1", "gemini-2"))


def thinking_config(conversation: Conversation, model: str) -> dict[str, Any] | None:
    """None where the caller said nothing: then the model does what it does by itself, and its thoughts stay there."""
    effort, tokens = conversation.effort, conversation.thinking_tokens
    if tokens is None and effort is None:
        return None
    if tokens is None and effort not in _BUDGETS:
        known = ", ".join(f"'{name}'" for name in _BUDGETS)
        raise InvalidRequest(
            f"Invalid value for 'reasoning_effort': '{effort}'. Supported values are: {known}.",
            param="reasoning_effort",
            code="invalid_value",
        )
    if by_budget(model):
        budget = _BUDGETS[effort or ""] if tokens is None else tokens
        return {"thinkingBudget": budget, "includeThoughts": budget > 0}
    if tokens is None:
        level, wanted = _LEVELS[effort or ""], effort != "none"
    else:
        level = next((name for most, name in _AT_MOST if tokens <= most), "high")
        wanted = tokens > 0
    return {"thinkingLevel": level, "includeThoughts": wanted}
