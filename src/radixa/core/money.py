"""Prices and costs in integers.

A price is pico-dollars per token: 1 $ per million tokens is 1,000,000 p$ a token, so every price that people write with
up to six decimals is exact. A request is summed in pico-dollars and rounded half up once, to nano-dollars. An unknown
price is `None` all the way to the answer; it never becomes 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from radixa.core.base import Usage
from radixa.core.config import Prices
from radixa.core.errors import ConfigError

PICO_PER_NANO = 1_000
NANO_PER_USD = 1_000_000_000
_PICO_PER_TOKEN = 1_000_000
"""Pico-dollars a token at 1 $ per million tokens."""


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Pico-dollars per token of each kind, each at least 0."""

    input: int
    cached_input: int
    cache_write: int
    output: int
    cache_write_long: int
    """For what is kept for an hour or longer."""


FREE = TokenPrices(0, 0, 0, 0, 0)


def dearest(prices: TokenPrices) -> TokenPrices:
    """What a request may cost at most: each token of its prompt at the highest price that one has."""
    most = max(prices.input, prices.cached_input, prices.cache_write, prices.cache_write_long)
    return TokenPrices(most, most, most, prices.output, most)


def token_prices(prices: Prices, model: str) -> TokenPrices | None:
    """The configuration's dollars per million tokens as integers; None where that of input or output is not given.

    Without a price of its own a cached or written token costs what any input token does, and one written for long what
    any written one does. ConfigError names `model` and the price that cannot be.
    """
    given = {
        kind: _pico(price, f"{model}: price {kind}")
        for kind in TokenPrices.__slots__
        if (price := getattr(prices, kind)) is not None
    }
    if "input" not in given or "output" not in given:
        return None
    given = {"cached_input": given["input"], "cache_write": given["input"]} | given
    return TokenPrices(**{"cache_write_long": given["cache_write"]} | given)


def _pico(usd_per_mtok: float, where: str) -> int:
    # repr of a float is the shortest text that reads back as it, which is the text a person wrote.
    pico = Decimal(repr(usd_per_mtok)) * _PICO_PER_TOKEN
    if not pico.is_finite() or pico < 0 or pico != int(pico):
        raise ConfigError(
            f"{where} = {usd_per_mtok}: expected dollars per million tokens, at least 0, with at most six decimals"
        )
    return int(pico)


def usd_per_mtok(pico_per_token: int) -> str:
    """A price as people write it, in exact decimal notation."""
    return _decimal(pico_per_token, 6)


def cost_pico(usage: Usage, prices: TokenPrices) -> int:
    """What a request costs, in pico-dollars, not yet rounded."""
    return (
        usage.plain_tokens * prices.input
        + usage.cached_tokens * prices.cached_input
        + (usage.cache_write_tokens - usage.long_write_tokens) * prices.cache_write
        + usage.long_write_tokens * prices.cache_write_long
        + usage.completion_tokens * prices.output
    )


def round_half_up(pico: int) -> int:
    """Pico-dollars to nano-dollars."""
    return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO


def cost(usage: Usage, prices: TokenPrices | None) -> int | None:
    """What a request costs, in nano-dollars; None where the price is unknown."""
    return None if prices is None else round_half_up(cost_pico(usage, prices))


def saved(usage: Usage, prices: TokenPrices | None) -> int | None:
    """The same request with nothing cached, less what it costs, in nano-dollars.

    With nothing cached every prompt token is plain input. Where keeping costs more than input, a request that only
    wrote has saved less than nothing. Both sides are rounded before they are subtracted, so that cost and saving add up
    to what the uncached request would have cost.
    """
    if prices is None:
        return None
    uncached = usage.prompt_tokens * prices.input + usage.completion_tokens * prices.output
    return round_half_up(uncached) - round_half_up(cost_pico(usage, prices))


def usd(nano: int) -> str:
    """Nano-dollars as dollars in exact decimal notation, a valid JSON number: 0 is `0`, 42 is `0.000000042`."""
    return _decimal(nano, 9)


def nano(dollars: float) -> int | None:
    """Dollars as people write them in nano-dollars; None where they have more than nine decimals, or are no number."""
    exact = Decimal(repr(dollars)) * NANO_PER_USD
    return int(exact) if exact.is_finite() and exact == int(exact) else None


def _decimal(value: int, places: int) -> str:
    """`value` / 10**places without an exponent and without trailing zeros."""
    whole, rest = divmod(abs(value), 10**places)
    sign = "-" if value < 0 else ""
    fraction = f"{rest:0{places}d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
