"""Fields of a body that are not the upstream's to see."""

from __future__ import annotations

OWN_FIELDS = frozenset(
    {
        "prompt_cache",
        "prefix_caching",
        "cache_ttl_seconds",
        "high_priority",
        "pin",
        "cache_salt",
        "session_id",
    }
)
"""Wishes that this gateway alone knows."""
OPENAI_CACHE_FIELDS = frozenset({"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"})
"""OpenAI's own, which others refuse."""
