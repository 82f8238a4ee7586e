"""Gemini's counts as ours: prompt = cached + written + plain (law 5)."""

from __future__ import annotations

from radixa.core.base import Usage
from radixa.providers.gemini.wire import UsageMetadata


def later(known: UsageMetadata | None, found: UsageMetadata | None) -> UsageMetadata | None:
    """Of two counts in one stream the later, with those of the earlier that it does not repeat."""
    if known is None or found is None:
        return found or known
    fields = UsageMetadata.__struct_fields__
    return UsageMetadata(*(getattr(known, name) if (new := getattr(found, name)) is None else new for name in fields))


def usage_of(found: UsageMetadata) -> Usage:
    """Cached tokens are some of the prompt's and never more; thoughts are output, and are billed as such."""
    prompt = _count(found.prompt_token_count) + _count(found.tool_use_prompt_token_count)
    thoughts = _count(found.thoughts_token_count)
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=min(_count(found.cached_content_token_count), prompt),
        completion_tokens=_count(found.candidates_token_count) + thoughts,
        reasoning_tokens=thoughts,
    )


def _count(number: int | None) -> int:
    return max(0, number or 0)
