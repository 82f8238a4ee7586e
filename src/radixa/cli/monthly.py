"""What some tokens a month cost on a model: with nothing cached, and at a rate of hits. All in integers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from radixa.core.base import Usage
from radixa.core.config import Prices
from radixa.core.money import cost, token_prices

_AMOUNT = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)([kKmMbBgG]?)", re.ASCII)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
MOST = 10**15


@dataclass(frozen=True, slots=True)
class Month:
    """A month's tokens: some of prompts, the rest of answers; at a hit rate, some of the prompts' are cached."""

    tokens: int
    completion_tokens: int
    cached_tokens: int

    @property
    def prompt_tokens(self) -> int:
        return self.tokens - self.completion_tokens

    def usage(self, *, cached: bool) -> Usage:
        hits = self.cached_tokens if cached else 0
        return Usage(self.prompt_tokens, hits, completion_tokens=self.completion_tokens)


def amount(text: str) -> int:
    """`10M`, `1.5B`, `500k` or `123` as a number. ValueError says what was expected."""
    found = _AMOUNT.fullmatch(text.strip())
    tokens = Decimal(found[1]) * _UNITS[found[2].lower()] if found else Decimal(0)
    if tokens != int(tokens) or not 1 <= tokens <= MOST:
        raise ValueError(f"{text!r}: expected a whole number of tokens up to {MOST:,}, such as 10M, 1.5B or 500k")
    return int(tokens)


def month(tokens: int, output_share: float, hit_rate: float) -> Month:
    """Shares as people write them; parts of tokens are left out."""
    completion = int(tokens * Fraction(repr(output_share)))
    return Month(tokens, completion, int((tokens - completion) * Fraction(repr(hit_rate))))


def costs(wanted: Month, prices: dict[str, float] | None, model: str) -> dict[str, Any]:
    """Nano-dollars, null where a price is unknown. `prices` are dollars per million tokens by name."""
    known = None
    if prices is not None:
        known = token_prices(
            Prices(
                input=prices["input"],
                cached_input=prices["cached_input"],
                output=prices["output"],
                cache_write=prices["cache_write"],
            ),
            model,
        )
    plain, cached = (cost(wanted.usage(cached=hits), known) for hits in (False, True))
    return {
        "prompt_tokens": wanted.prompt_tokens,
        "completion_tokens": wanted.completion_tokens,
        "cached_tokens": wanted.cached_tokens,
        "uncached_nano_usd": plain,
        "cost_nano_usd": cached,
        "saved_nano_usd": None if plain is None or cached is None else plain - cached,
    }
