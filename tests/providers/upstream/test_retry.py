from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.providers.upstream.retry import MOST_WAIT_S, backoff, retry_after, wait

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "3", "retry-after-ms": "120"}, 0.12),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:20 GMT"}, 20.0),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "later"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "999999999"}, 86_400.0),
    ],
)
def test_what_an_upstream_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(tries=st.integers(1, 20))
def test_a_backoff_is_bounded(tries: int) -> None:
    assert 0 <= backoff(tries) <= MOST_WAIT_S


@given(asked=st.floats(0, MOST_WAIT_S))
def test_no_try_comes_before_it_was_asked_for(asked: float) -> None:
    found = wait(1, asked)
    assert found is not None
    assert asked <= found <= 1.1 * asked + 0.05


def test_what_nobody_waits_for_is_passed_on() -> None:
    assert wait(1, MOST_WAIT_S + 0.1) is None
