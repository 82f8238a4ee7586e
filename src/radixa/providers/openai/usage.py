"""Usage as the many servers of this API write it, read into one that adds up.

OpenAI's chat and Responses, DeepSeek's hits and misses, OpenRouter, vLLM and SGLang (which leave the details null),
and servers that pass Anthropic's counts on, where cached tokens stand beside the prompt instead of within it. What
cannot be (more cached than there was, negative, no number) is cut down to what adds up, and said in the log.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from radixa.core.base import Usage
from radixa.providers.size import estimated_tokens, text_bytes
from radixa.providers.upstream.unreadable import UNREADABLE

_MOST = 2**31 - 1

_decode = msgspec.json.decode
log = logging.getLogger("radixa.providers")


def read_usage(raw: bytes, name: str) -> Usage | None:
    """The usage in an upstream's JSON; None where it does not count the prompt. `name`: the provider's, for the log."""
    try:
        found = _decode(raw)
    except UNREADABLE:
        return None
    if not isinstance(found, dict):
        return None
    counts = _Counts(found, name)
    hits, misses = counts.of("prompt_cache_hit_tokens"), counts.of("prompt_cache_miss_tokens")
    prompt = counts.of("prompt_tokens", "input_tokens")
    if prompt is None and hits is not None and misses is not None:
        prompt = hits + misses
    if not prompt:
        # No prompt is empty: such an upstream does not count.
        return None
    details = counts.within("prompt_tokens_details", "input_tokens_details")
    cached = _first(details.of("cached_tokens"), hits, counts.of("cache_read_input_tokens", "cached_tokens"))
    written = _first(details.of("cache_write_tokens"), counts.of("cache_creation_input_tokens", "cache_write_tokens"))
    lasting = details.within("cache_write_tokens_details").of("ttl_12h_tokens")
    completion = counts.of("completion_tokens", "output_tokens") or 0
    reasoning = counts.within("completion_tokens_details", "output_tokens_details").of("reasoning_tokens") or 0
    total = counts.of("total_tokens")
    if cached + written and total == prompt + cached + written + completion:
        prompt += cached + written
    if reasoning and total == prompt + completion + reasoning:
        completion += reasoning
    return _adding_up(prompt, cached, written, lasting or 0, completion, reasoning, counts)


def estimated(sent: bytes, delivered_bytes: int) -> Usage:
    """What an upstream that never said may have used: `sent` is the prompt's JSON, of which pictures do not count."""
    return Usage(
        prompt_tokens=max(1, estimated_tokens(text_bytes(sent))),
        completion_tokens=estimated_tokens(delivered_bytes),
        estimated=True,
    )


def completed(usage: Usage, delivered_bytes: int) -> Usage:
    """The usage with an estimate of the answer, where the upstream says that there was none and there was."""
    if usage.completion_tokens or not delivered_bytes:
        return usage
    return msgspec.structs.replace(
        usage, completion_tokens=estimated_tokens(delivered_bytes), reasoning_tokens=0, estimated=True
    )


def _adding_up(
    prompt: int, cached: int, written: int, lasting: int, completion: int, reasoning: int, counts: _Counts
) -> Usage:
    real_cached = min(cached, prompt)
    real_written = min(written, prompt - real_cached)
    real_lasting = min(lasting, real_written)
    real_reasoning = min(reasoning, completion)
    if (real_cached, real_written, real_lasting, real_reasoning) != (cached, written, lasting, reasoning):
        counts.lie(
            f"{cached} tokens cached, {written} written ({lasting} for long) of a prompt of {prompt}, "
            f"{reasoning} thought of {completion}"
        )
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=real_cached,
        cache_write_tokens=real_written,
        completion_tokens=completion,
        long_write_tokens=real_lasting,
        reasoning_tokens=real_reasoning,
    )


def _first(*found: int | None) -> int:
    """The first count that was given; 0 where none was."""
    return next((count for count in found if count is not None), 0)


class _Counts:
    """An object of counts, none of which is trusted."""

    def __init__(self, found: dict[str, Any], name: str) -> None:
        self._found = found
        self._name = name

    def of(self, *names: str) -> int | None:
        """The first of the counts that is there; 0 for one that cannot be."""
        for name in names:
            value = self._found.get(name)
            if value is not None:
                count = _whole(value)
                if count is None:
                    self.lie(f"{name} is {str(value)[:40]!r}")
                return count or 0
        return None

    def within(self, *names: str) -> _Counts:
        """The first of the objects that is there; an empty one where there is none."""
        for name in names:
            value = self._found.get(name)
            if isinstance(value, dict):
                return _Counts(value, self._name)
        return _Counts({}, self._name)

    def lie(self, what: str) -> None:
        log.warning("%s reports a usage that cannot be: %s", self._name, what)


def _whole(value: Any) -> int | None:
    """A count, also one that came as text or as 3.0; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _MOST else None
