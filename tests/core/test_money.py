"""Integer prices: exact, additive, rounded once; unknown is not free."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.base import Usage
from radixa.core.config import Prices
from radixa.core.errors import ConfigError
from radixa.core.money import FREE, TokenPrices, cost, cost_pico, saved, token_prices, usd, usd_per_mtok

pico = st.integers(0, 100_000_000)
prices_of = st.builds(TokenPrices, pico, pico, pico, pico, pico)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, plain = (draw(st.integers(0, 200_000)) for _ in range(3))
    return Usage(
        cached + written + plain,
        cached,
        written,
        draw(st.integers(0, 50_000)),
        long_write_tokens=draw(st.integers(0, written)),
    )


def in_decimal(usage: Usage, prices: TokenPrices) -> int:
    """The same sum in another arithmetic: dollars as Decimal, rounded half up to nano-dollars."""
    dollars = sum(
        Decimal(count) * Decimal(price) / Decimal(10) ** 12
        for count, price in [
            (usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens, prices.input),
            (usage.cached_tokens, prices.cached_input),
            (usage.cache_write_tokens - usage.long_write_tokens, prices.cache_write),
            (usage.long_write_tokens, prices.cache_write_long),
            (usage.completion_tokens, prices.output),
        ]
    )
    return int((dollars * 10**9).quantize(Decimal(1), ROUND_HALF_UP))


@given(usages(), prices_of)
def test_cost_is_the_exact_sum_rounded_half_up_once(usage: Usage, prices: TokenPrices) -> None:
    assert cost(usage, prices) == in_decimal(usage, prices)


@given(usages(), prices_of)
def test_cost_and_saving_add_up_to_the_uncached_request(usage: Usage, prices: TokenPrices) -> None:
    uncached = Usage(usage.prompt_tokens, 0, 0, usage.completion_tokens)
    paid, spared, full = cost(usage, prices), saved(usage, prices), cost(uncached, prices)
    assert paid is not None
    assert spared is not None
    assert paid + spared == full
    if max(prices.cached_input, prices.cache_write, prices.cache_write_long) <= prices.input:
        assert spared >= 0
    if usage.cached_tokens == 0 and min(prices.cache_write, prices.cache_write_long) >= prices.input:
        assert spared <= 0
    if usage.cached_tokens == usage.cache_write_tokens == 0:
        assert spared == 0


@given(usages(), usages(), prices_of)
def test_picos_are_additive(one: Usage, two: Usage, prices: TokenPrices) -> None:
    both = Usage(
        one.prompt_tokens + two.prompt_tokens,
        one.cached_tokens + two.cached_tokens,
        one.cache_write_tokens + two.cache_write_tokens,
        one.completion_tokens + two.completion_tokens,
        long_write_tokens=one.long_write_tokens + two.long_write_tokens,
    )
    assert cost_pico(both, prices) == cost_pico(one, prices) + cost_pico(two, prices)


def test_an_unknown_price_is_a_state_and_zero_is_zero() -> None:
    usage = Usage(10, 4, 6, 2)
    assert cost(usage, None) is None
    assert saved(usage, None) is None
    assert cost(usage, FREE) == 0
    assert saved(usage, FREE) == 0
    assert usd(0) == "0"


def test_half_a_nano_dollar_rounds_up() -> None:
    assert cost(Usage(1, 0, 0, 0), TokenPrices(499, 0, 0, 0, 0)) == 0
    assert cost(Usage(1, 0, 0, 0), TokenPrices(500, 0, 0, 0, 0)) == 1
    assert cost(Usage(1, 0, 0, 0), TokenPrices(1499, 0, 0, 0, 0)) == 1
    assert cost(Usage(1, 0, 0, 0), TokenPrices(1500, 0, 0, 0, 0)) == 2


@given(st.integers(-(10**18), 10**18))
def test_usd_is_an_exact_json_number(nano: int) -> None:
    text = usd(nano)
    assert Decimal(text) * 10**9 == nano
    assert "e" not in text.lower()
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == Decimal(nano).scaleb(-9)


def test_prices_as_people_write_them() -> None:
    found = token_prices(Prices(input=0.42, cached_input=0.042, output=0.42), "deepseek-chat")
    assert found == TokenPrices(420_000, 42_000, 420_000, 420_000, 420_000)
    written = token_prices(Prices(input=3.0, cached_input=0.3, output=15.0, cache_write=3.75), "m")
    assert (written.cache_write, written.cache_write_long) == (3_750_000, 3_750_000)
    assert token_prices(Prices(input=3.0, output=15.0, cache_write_long=6.0), "m").cache_write_long == 6_000_000
    assert usd_per_mtok(42_000) == "0.042"
    # 1,000 prompt tokens of which 600 hit, 100 answered: 400 * 0.42 + 600 * 0.042 + 100 * 0.42 per million.
    assert cost(Usage(1000, 600, 400, 100), found) == 235_200
    assert saved(Usage(1000, 600, 400, 100), found) == 226_800


def test_a_token_without_a_price_of_its_own_costs_what_input_does() -> None:
    found = token_prices(Prices(input=1.0, output=2.0), "m")
    assert found == TokenPrices(1_000_000, 1_000_000, 1_000_000, 2_000_000, 1_000_000)
    # Nothing is said to be saved where no discount is known.
    assert saved(Usage(1000, 600, 0, 100), found) == 0


@pytest.mark.parametrize("given", [{}, {"input": 1.0}, {"output": 1.0}, {"cached_input": 0.1, "output": 1.0}])
def test_without_input_or_output_the_cost_is_unknown_and_not_0(given: dict[str, float]) -> None:
    found = token_prices(Prices(**given), "m")
    assert found is None
    assert cost(Usage(1000, 600, 0, 100), found) is None
    assert saved(Usage(1000, 600, 0, 100), found) is None


@given(st.integers(0, 10**9))
def test_a_written_price_survives_the_float_it_was_read_as(pico_per_token: int) -> None:
    written = float(usd_per_mtok(pico_per_token))
    assert token_prices(Prices(written, written, written), "m").input == pico_per_token


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), 0.0000001])
def test_a_price_that_cannot_be_names_the_model_and_the_field(bad: float) -> None:
    with pytest.raises(ConfigError, match="my-model: price output"):
        token_prices(Prices(1.0, 1.0, bad), "my-model")
