"""The sums are those of the rows, in whatever batches they came, and for whatever stretch of time they are asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import floor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from radixa.store.ledger.base import COUNTS, GroupBy, LedgerRow, Query, Totals, added
from radixa.store.ledger.schema import DAY, ROLLUPS, ledger
from radixa.store.ledger.sql import SqlLedger
from radixa.store.ledger.windows import windows
from radixa.store.sql import SqlStore
from tests.store.ledger.rows import busy, moments, names, rows

KEYS: dict[GroupBy, Callable[[LedgerRow], str | int]] = {
    "model": lambda row: row.model,
    "key": lambda row: row.key_id,
    "session": lambda row: row.session_id,
    "day": lambda row: int(row.created // DAY) * DAY,
    "account": lambda row: row.account_id,
}
queries = st.builds(
    Query,
    account_id=st.one_of(st.none(), st.none(), names),
    key_id=st.one_of(st.none(), st.none(), names),
    since=st.one_of(st.none(), busy, busy, moments),
    until=st.one_of(st.none(), busy, busy, moments),
)
"""Most have an edge within an hour that holds rows, which are then summed one by one."""


def summed(found: Sequence[LedgerRow]) -> Totals:
    return Totals(
        requests=len(found),
        **{name: sum(getattr(row, name) for row in found) for name in COUNTS},
        cost_nano_usd=sum(row.cost_nano_usd or 0 for row in found),
        saved_nano_usd=sum(row.saved_nano_usd or 0 for row in found),
        unknown_price_requests=sum(row.cost_nano_usd is None for row in found),
        timed_requests=sum(row.ttft_ms is not None for row in found),
        ttft_us=sum(floor(row.ttft_ms * 1000) for row in found if row.ttft_ms is not None),
    )


def wanted(found: Sequence[LedgerRow], query: Query) -> list[LedgerRow]:
    """The rows a query is about, newest first."""
    matching = [
        row
        for row in found
        if query.account_id in (None, row.account_id)
        and query.key_id in (None, row.key_id)
        and (query.since is None or row.created >= query.since)
        and (query.until is None or row.created < query.until)
    ]
    return sorted(matching, key=lambda row: (row.created, row.request_id), reverse=True)


def check(store: SqlLedger, kept: Sequence[LedgerRow], query: Query) -> None:
    """What is said of the rows that `query` is about."""
    matching = wanted(kept, query)
    assert store.totals(query) == summed(matching)
    bare = [_without_blocks(row) for row in matching]
    assert store.rows(query, limit=1_000) == bare
    if len(matching) > 1:
        assert store.rows(query, limit=3, before=matching[0].request_id) == bare[1:4]


def check_groups(store: SqlLedger, kept: Sequence[LedgerRow], query: Query, by: GroupBy) -> None:
    if by == "session":
        query = Query(query.account_id, None, query.since, query.until)
    matching = wanted(kept, query)
    groups: defaultdict[Any, list[LedgerRow]] = defaultdict(list)
    for row in matching:
        owner = row.account_id if by == "session" and query.account_id is None else ""
        groups[KEYS[by](row), owner].append(row)
    found = store.groups(query, by, limit=100)
    assert {(group.key, group.account_id): group.totals for group in found} == {
        key: summed(group) for key, group in groups.items()
    }
    assert [group.last for group in found] == sorted((group[0].created for group in groups.values()), reverse=True)
    for limit in {1, len(found) // 2} if len(found) > 1 else ():
        assert store.groups(query, by, limit=limit) == found[:limit]
    assert added(group.totals for group in found) == summed(matching)


def _without_blocks(row: LedgerRow) -> LedgerRow:
    return LedgerRow(**{name: getattr(row, name) for name in row.__struct_fields__ if name != "blocks"})


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in (ledger, *(rollup for rollup, _, _ in ROLLUPS)):
            connection.execute(delete(table))


def play(store: SqlStore, first: list[LedgerRow], steps: Sequence[Any], last: Query) -> None:
    """Rows are added in batches and asked for in between; at the end everything is asked for `last`."""
    empty(store.engine)
    book = SqlLedger(store.engine)
    kept: dict[str, LedgerRow] = {}
    for step in (first, *steps):
        if isinstance(step, tuple):
            query, by = step
            check(book, list(kept.values()), query)
            check_groups(book, list(kept.values()), query, by)
            continue
        before = len(kept)
        for row in step:
            kept.setdefault(row.request_id, row)
        assert book.add(step) == len(kept) - before
    check(book, list(kept.values()), last)
    for by in KEYS:
        check_groups(book, list(kept.values()), last, by)
    spent = sum(row.cost_nano_usd or 0 for row in wanted(list(kept.values()), Query("a", None, last.since)))
    assert book.spent(account_id="a", since=last.since) == spent
    assert [row.request_id for row in book.blocks()] == [
        row.request_id for row in reversed(wanted(list(kept.values()), Query())) if row.blocks
    ]


batch_rows = rows(st.one_of(busy, busy, moments))
any_steps = given(
    first=st.lists(batch_rows, min_size=4, max_size=12),
    steps=st.lists(
        st.one_of(st.lists(batch_rows, max_size=8), st.tuples(queries, st.sampled_from(list(KEYS)))), max_size=5
    ),
    last=queries,
)
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=20, deadline=None, suppress_health_check=CHECKS)
@any_steps
def test_the_sums_are_those_of_the_rows(store: SqlStore, first: list[LedgerRow], steps: list[Any], last: Query) -> None:
    play(store, first, steps, last)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=CHECKS)
@any_steps
def test_so_are_those_of_many(store: SqlStore, first: list[LedgerRow], steps: list[Any], last: Query) -> None:
    play(store, first, steps, last)


@pytest.mark.parametrize("widths", [(), (3_600,), (86_400, 3_600)])
@given(since=st.one_of(st.none(), moments), until=st.one_of(st.none(), moments), moment=moments)
def test_windows_cover_each_moment_once(
    widths: tuple[int, ...], since: float | None, until: float | None, moment: float
) -> None:
    found = list(windows(since, until, widths))
    covering = 0
    for window in found:
        low, high = window.low, window.high
        assert low is None or high is None or low < high
        if window.width:
            assert (low or 0) % window.width == (high or 0) % window.width == 0
        stretch = moment // window.width * window.width if window.width else moment
        covering += (low is None or stretch >= low) and (high is None or stretch < high)
        if widths and window.width < widths[0]:
            assert low is not None
            assert high is not None
            assert low // widths[0] * widths[0] + widths[0] >= high
    assert covering == ((since is None or moment >= since) and (until is None or moment < until))
