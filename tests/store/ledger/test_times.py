"""Times to the first token: of rows that have none, and of a database from before the sums had them."""

from __future__ import annotations

from alembic import command
from alembic.config import Config

from radixa.store.database import MIGRATIONS, migrate
from radixa.store.ledger.base import Query
from radixa.store.ledger.sql import SqlLedger
from radixa.store.migrations.versions import v0006_times_to_the_first_token as migration
from radixa.store.sql import SqlStore
from tests.store.ledger.rows import row


def test_times_of_rows_that_are_there_are_added_up(store: SqlStore) -> None:
    book = SqlLedger(store.engine)
    rows = [
        row(request_id=f"req_{number}", created=number * 7_000.5, model=f"m{number % 2}", ttft_ms=time)
        for number, time in enumerate((10.0, None, 0.0005, 12.3456, 1e5))
    ]
    book.add(rows)
    before = [book.groups(Query(), by, limit=10) for by in ("model", "day", "session")]
    _go_back(store)
    migrate(store.engine)
    assert [book.groups(Query(), by, limit=10) for by in ("model", "day", "session")] == before
    totals = book.totals(Query())
    assert (totals.timed_requests, totals.ttft_us) == (4, 10_000 + 0 + 12_345 + 100_000_000)
    assert totals.ttft_ms == 25_005.586


def _go_back(store: SqlStore) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, str(migration.down_revision))


def test_a_row_without_a_time_counts_where_single_rows_are_summed(store: SqlStore) -> None:
    book = SqlLedger(store.engine)
    book.add([row("req_0", created=7_000.5, ttft_ms=None), row("req_1", created=7_001.5, ttft_ms=2.5)])
    totals = book.totals(Query(since=7_000.0, until=7_002.0))
    assert (totals.requests, totals.timed_requests, totals.ttft_us) == (2, 1, 2_500)
