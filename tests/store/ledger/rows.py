"""Rows of a ledger to test with."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from radixa.store.ledger.base import LedgerRow

NOON = 1_795_521_600.0
"""24 November 2026, 12:00 UTC."""


def row(request_id: str, created: float = NOON, **fields: Any) -> LedgerRow:
    given = {
        "account_id": "acct_1",
        "key_id": "key_1",
        "model": "gpt-4.1",
        "served_by": "gpt-4.1",
        "provider": "openai",
        "api": "chat",
        "prompt_tokens": 100,
        "cached_tokens": 60,
        "cache_write_tokens": 10,
        "completion_tokens": 20,
        "cost_nano_usd": 1_234,
        "saved_nano_usd": 77,
        "ttft_ms": 12.5,
        "duration_ms": 250.0,
    }
    return LedgerRow(request_id=request_id, created=created, **(given | fields))


moments = st.one_of(
    st.floats(NOON - 90_000, NOON + 90_000, width=64),
    # On the edges of hours and days, and just beside them.
    st.builds(
        lambda hours, off: NOON + hours * 3_600 + off, st.integers(-25, 25), st.sampled_from([0.0, 1e-6, -1e-6, 1.0])
    ),
)
busy = st.builds(
    lambda hours, off: NOON + hours * 3_600 + off,
    st.sampled_from([-24, -1, 0]),
    st.sampled_from([0.0, 1e-6, -1e-6, 1.0, 900.25, 1_800.0, 3_599.5]),
)
"""Few moments within few hours, so that what is drawn from them often meets."""
names = st.sampled_from(["a", "b", "é'\"%"])
counts = st.integers(0, 10**12)


@st.composite
def rows(draw: st.DrawFn, created: st.SearchStrategy[float] = moments) -> LedgerRow:
    """Any row; ids are few, so that some come twice."""
    request_id = f"req_{draw(st.integers(0, 60))}"
    cost = draw(st.one_of(st.none(), st.integers(0, 10**15)))
    return LedgerRow(
        request_id=request_id,
        created=draw(created),
        account_id=draw(names),
        key_id=draw(names),
        session_id=draw(st.one_of(st.just(""), names)),
        model=draw(names),
        served_by="model",
        provider="local",
        api=draw(st.sampled_from(["chat", "messages", "warm"])),
        stream=draw(st.booleans()),
        status=draw(st.sampled_from([200, 499, 502])),
        prompt_tokens=draw(counts),
        cached_tokens=draw(counts),
        cache_write_tokens=draw(counts),
        long_write_tokens=draw(counts),
        completion_tokens=draw(counts),
        reasoning_tokens=draw(counts),
        disk_tokens=draw(counts),
        cost_nano_usd=cost,
        saved_nano_usd=None if cost is None else draw(st.integers(-(10**15), 10**15)),
        ttft_ms=draw(st.one_of(st.none(), st.floats(0, 1e6))),
        duration_ms=draw(st.floats(0, 1e6)),
        estimated=draw(st.booleans()),
        fallback_from=draw(st.sampled_from(["", "other"])),
        blocks=draw(st.binary(max_size=3)) * 8,
    )
