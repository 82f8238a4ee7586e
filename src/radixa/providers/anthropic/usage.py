"""Anthropic's counts, in pieces and with cached tokens beside the input, as one usage that adds up."""

from __future__ import annotations

from typing import Any

from radixa.core.base import Usage
from radixa.providers.size import estimated_tokens

_MOST = 2**31 - 1


class Counter:
    """The last that was said of each count: those in a stream are cumulative, and some servers say all at its end."""

    def __init__(self, sent: int) -> None:
        """`sent`: bytes of the request's text, by which its tokens are estimated where nobody counts them."""
        self._sent = sent
        self.delivered = 0
        """Bytes of text, thoughts and calls."""
        self._counts: dict[str, int] = {}

    def add(self, usage: Any) -> None:
        """The `usage` of an answer or of an event; what is none of its counts is passed over."""
        if not isinstance(usage, dict):
            return
        for fields in (usage, usage.get("cache_creation"), usage.get("output_tokens_details")):
            if isinstance(fields, dict):
                self._counts.update({name: count for name, count in fields.items() if _is_count(count)})

    @property
    def usage(self) -> Usage:
        """As far as it is known."""
        of = self._counts.get
        read = of("cache_read_input_tokens", 0)
        long = of("ephemeral_1h_input_tokens", 0)
        written = of("cache_creation_input_tokens", long + of("ephemeral_5m_input_tokens", 0))
        prompt = of("input_tokens", 0) + written + read
        output = of("output_tokens", 0)
        estimated = not prompt or (not output and self.delivered > 0)
        if not prompt:
            prompt = max(1, estimated_tokens(self._sent))
        if not output:
            output = estimated_tokens(self.delivered)
        return Usage(
            prompt_tokens=prompt,
            cached_tokens=read,
            cache_write_tokens=written,
            completion_tokens=output,
            long_write_tokens=min(long, written),
            reasoning_tokens=min(of("thinking_tokens", 0), output),
            estimated=estimated,
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
