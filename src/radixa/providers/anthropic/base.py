"""What is said to Anthropic, whatever the request: addresses, versions, fields and words."""

from __future__ import annotations

from radixa.core.base import FinishReason

ADDRESS = "https://api.anthropic.com"
VERSION = "2023-06-01"
MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"

FORWARDED = frozenset({"anthropic-version", "anthropic-beta"})
"""Headers of a caller's that go on."""
COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "mcp_servers", "cache_control"}
)
"""Fields that make up a prompt, which alone `count_tokens` takes."""

MAX_TOKENS = 8_192
"""Where the caller names no bound: Anthropic asks for one, and every model since 2024 gives that many."""

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
