"""Prices of the catalogue: by day, and our arithmetic against that of genai-prices on its own prices."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.base import Usage
from radixa.core.config import ModelEntry, Prices
from radixa.core.money import FREE, TokenPrices, cost, token_prices
from radixa.gateway.catalogue import dated_prices, prices_on, shipped

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
"""DeepSeek's prices depend on the hour."""
ELSEWHERE = {"openai": "openai", "deepseek": "deepseek", "anthropic": "anthropic", "gemini": "google"}
"""What genai-prices calls the providers."""
SOLD = [entry for entry in shipped() if entry.provider in ELSEWHERE]
"""The rest is free."""
DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))


@given(st.dictionaries(DAYS, st.integers(0, 100)), st.booleans(), DAYS)
def test_the_last_price_that_has_begun_holds(begins: dict[date, int], always: bool, today: date) -> None:
    prices = [Prices(input=float(usd), output=0.0, since=day.isoformat()) for day, usd in begins.items()]
    if always:
        prices.append(Prices(input=200.0, output=0.0))
    found = prices_on(today.isoformat(), dated_prices(ModelEntry("m", "p", prices=tuple(prices))))
    begun = [day for day in begins if day <= today]
    if begun:
        expected: int | None = begins[max(begun)]
    else:
        expected = 200 if always else None
    assert (None if found is None else found.input) == (None if expected is None else expected * 1_000_000)


def test_a_price_can_become_unknown() -> None:
    dated = dated_prices(ModelEntry("m", "p", prices=(Prices(input=1.0, output=1.0), Prices(since="2026-06-01"))))
    assert prices_on("2026-05-31", dated) is not None
    assert prices_on("2026-06-01", dated) is None


def calculated(entry: ModelEntry, usage: Usage) -> Any:
    """What genai-prices makes of it at its own prices of the model that really answers."""
    return calc_price(
        TheirUsage(
            input_tokens=usage.prompt_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            cache_write_1h_tokens=usage.long_write_tokens if entry.provider == "anthropic" else None,
            output_tokens=usage.completion_tokens,
        ),
        entry.upstream_model,
        provider_id=ELSEWHERE[entry.provider],
        genai_request_timestamp=NOW,
    )


def ours(entry: ModelEntry) -> TokenPrices:
    """Their prices of the entry's upstream model, written as a configuration would write them."""
    price = calculated(entry, Usage(1, completion_tokens=1)).model_price

    def usd(name: str) -> float | None:
        value = getattr(price, name)
        # Of prices by length the first: what is asked here stays below the next.
        return None if value is None else float(getattr(value, "base", value))

    found = token_prices(
        Prices(
            input=usd("input_mtok"),
            cached_input=usd("cache_read_mtok"),
            output=usd("output_mtok"),
            cache_write=usd("cache_write_mtok"),
            cache_write_long=usd("cache_write_1h_mtok"),
        ),
        entry.id,
    )
    assert found is not None
    return found


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Below the 200,000 tokens from which some prompts cost more."""
    cached, written, plain = (draw(st.integers(0, 60_000)) for _ in range(3))
    return Usage(
        cached + written + plain,
        cached,
        written,
        draw(st.integers(0, 50_000)),
        long_write_tokens=draw(st.integers(0, written)),
    )


@pytest.mark.parametrize("entry", SOLD, ids=lambda entry: entry.id)
@given(usage=usages())
def test_the_same_usage_at_the_same_prices_costs_the_same(entry: ModelEntry, usage: Usage) -> None:
    total: Decimal = calculated(entry, usage).total_price
    assert cost(usage, ours(entry)) == int((total * 10**9).quantize(Decimal(1), ROUND_HALF_UP))


def test_successors_are_at_their_providers_own_prices() -> None:
    """Those that genai-prices knows, to the pico-dollar."""
    successors = {entry.successor for entry in shipped()} - {None}
    found = [entry for entry in shipped() if entry.id in successors]
    assert {entry.id for entry in found} == successors == {"claude-sonnet-5-5", "gemini-3.5-flash-lite"}
    today = datetime.now(UTC).date().isoformat()
    for entry in found:
        assert prices_on(today, dated_prices(entry)) == ours(entry)
        assert entry.context is not None


def test_every_price_that_ships_is_known() -> None:
    today = datetime.now(UTC).date().isoformat()
    for entry in shipped():
        found = prices_on(today, dated_prices(entry))
        assert found is not None
        assert 0 < found.cached_input < found.input if entry in SOLD else found == FREE
