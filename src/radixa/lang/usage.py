"""What a server says it used, whatever its make; None for what it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def figures(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """An answer's `usage`, as the OpenAI-compatible servers write it, by one set of names."""
    usage = usage or {}
    ours = usage.get("radixa") or {}
    return {
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
        "cached_tokens": cached_tokens(usage),
        "ttft": ours["ttft_ms"] / 1e3 if "ttft_ms" in ours else None,
        "cost_usd": ours.get("cost_usd"),
        "saved_usd": ours.get("saved_usd"),
        "served_by": ours.get("served_by"),
    }


def cached_tokens(usage: Mapping[str, Any]) -> int | None:
    """OpenAI's place for it, DeepSeek's, and our own."""
    details = usage.get("prompt_tokens_details") or {}
    places = (details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens"))
    return next((int(value) for value in places if value is not None), None)
