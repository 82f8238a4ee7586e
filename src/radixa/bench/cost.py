"""What a run would have cost at a model's list price."""

from __future__ import annotations

from collections.abc import Iterable

from radixa.bench.base import Cost, Measurement
from radixa.core.base import Usage
from radixa.core.money import TokenPrices, cost


def run_cost(measurements: Iterable[Measurement], prices: TokenPrices) -> Cost:
    """Each request billed as a server bills it, prompt alone and with its answer."""
    prompt = total = 0
    for m in measurements:
        if m.cached_tokens is None:
            return Cost(None, None)
        usage = Usage(m.prompt_tokens, m.cached_tokens, m.cache_write_tokens, m.completion_tokens)
        total += cost(usage, prices) or 0
        prompt += cost(Usage(m.prompt_tokens, m.cached_tokens, m.cache_write_tokens, 0), prices) or 0
    return Cost(prompt, total)
