"""Figures as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from radixa.dashboard import figures


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (1, "$0.000000001"),
        (-1, "-$0.000000001"),
        (123_456, "$0.000123"),
        (9_999_999, "$0.01"),
        (10_000_000, "$0.01"),
        (12_345_678, "$0.0123"),
        (999_999_999, "$1"),
        (1_000_000_000, "$1.00"),
        (1_234_567_891_234, "$1,234.57"),
        (-2_500_000_000, "-$2.50"),
    ],
)
def test_money(nano: int | None, text: str) -> None:
    assert figures.money(nano) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"), (0, "0"), (9_999, "9,999"), (10_000, "10k"), (12_345, "12.3k"), (999_499, "999k"),
        (1_000_000, "1M"), (9_620_000, "9.62M"), (2_500_000_000, "2.5B"), (5 * 10**12, "5,000B"),
    ],
)  # fmt: skip
def test_short_counts(count: int | None, text: str) -> None:
    assert figures.short(count) == text


def test_others() -> None:
    assert figures.share(1, 0) is None
    assert figures.percent(figures.share(2, 3)) == "66.7 %"
    assert [figures.ms(value) for value in (None, 0.4, 1_234.5, 12_340.0)] == ["–", "0 ms", "1,234 ms", "12.3 s"]
    assert [figures.dollars(value) for value in (None, 0.0, 0.042, 15.0)] == ["–", "$0", "$0.042", "$15"]
    assert [figures.plain(value) for value in (0.0, 1.5, 1e-9, 1e6)] == ["0", "1.5", "0.000000001", "1000000"]
    moment = datetime(2026, 11, 24, 23, 59, tzinfo=UTC).timestamp()
    assert (figures.when(moment), figures.day(moment), figures.when(None)) == ("2026-11-24 23:59", "2026-11-24", "–")
    assert figures.day(2.0**53) == "9999-12-31"
