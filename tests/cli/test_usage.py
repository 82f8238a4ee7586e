"""`radixa usage`: the same figures from a server and from the database."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from radixa.core.config import StoreConfig
from radixa.gateway.ledger.files import new_file
from radixa.gateway.ledger.frames import frame
from radixa.store.first import ensure_first_account
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import open_store
from tests.store.ledger.rows import NOON, row

from .conftest import Radixa
from .serving import served


@pytest.fixture
def account(home: Path) -> str:
    """The id of an account with four requests, one of them of an unknown price."""
    store = open_store(StoreConfig(), home / "radixa.db")
    account = ensure_first_account(store)
    SqlLedger(store.engine).add(
        [
            row(
                f"req_{at}",
                NOON + at * 86_400,
                account_id=account.id,
                model=["gpt-4.1", "mystery"][at == 3],
                session_id="" if at else "\x1b[31mred",
                cost_nano_usd=None if at == 3 else 10**9 + at,
                saved_nano_usd=None if at == 3 else -1,
            )
            for at in range(4)
        ]
    )
    store.close()
    return account.id


def test_a_table_by_model_with_exact_amounts(radixa: Radixa, account: str) -> None:
    found = radixa("usage")
    assert (found.code, found.err) == (0, "")
    lines = [line.split() for line in found.out.splitlines()]
    assert lines[0] == ["model", "requests", "prompt", "cached", "written", "completion", "cost", "$", "saved", "$"]
    assert lines[1] == ["mystery", "1", "100", "60", "10", "20", "unknown", "unknown"]
    assert lines[2] == ["gpt-4.1", "3", "300", "180", "30", "60", "3.000000003", "-0.000000003"]
    assert lines[3] == ["total", "4", "400", "240", "40", "80", "3.000000003", "-0.000000003"]
    assert "1 requests have an unknown price" in found.out


def test_lines_by_day_session_key_and_request(radixa: Radixa, account: str) -> None:
    days = radixa("usage", "--by", "day", "--since", "2026-11-25", "--until", "2026-11-27").out.splitlines()
    assert [line.split()[0] for line in days] == ["day", "2026-11-26", "2026-11-25", "total"]
    sessions = radixa("usage", "--by", "session").out
    assert "\x1b" not in sessions
    assert "␛[31mred" in sessions
    assert "(none)" in sessions
    assert radixa("usage", "--by", "key").out.splitlines()[1].split()[:2] == ["key_1", "4"]
    requests = radixa("usage", "--by", "request", "--limit", "1").out.splitlines()
    assert requests[1].split()[:5] == ["req_3", "2026-11-27", "12:00:00", "mystery", "200"]
    assert "There is more than these 1" in requests[-1]


def test_json_is_the_servers_answer(radixa: Radixa, account: str, home: Path) -> None:
    local = json.loads(radixa("usage", "--by", "request", "--json").out)
    assert [one["request_id"] for one in local["data"]] == ["req_3", "req_2", "req_1", "req_0"]
    with served(home) as url:
        assert json.loads(radixa("usage", "--by", "request", "--json", "--url", url).out) == local
        assert radixa("usage", "--by", "day", "--url", url).out == radixa("usage", "--by", "day").out


def test_rows_that_a_killed_server_left_are_counted(radixa: Radixa, account: str, home: Path) -> None:
    left = new_file(home / "ledger")
    os.write(left.descriptor, frame(row("req_left", account_id=account)))
    left.release()
    assert json.loads(radixa("usage", "--json").out)["totals"]["requests"] == 5
    assert list((home / "ledger").glob("*.wal")) == []


def test_accounts(radixa: Radixa, account: str) -> None:
    assert json.loads(radixa("usage", "--account", "default", "--json").out)["totals"]["requests"] == 4
    assert json.loads(radixa("usage", "--account", "*", "--json").out)["totals"]["requests"] == 4
    missing = radixa("usage", "--account", "nobody")
    assert (missing.code, missing.err) == (1, "radixa: There is no account 'nobody'.\n")


def test_wrong_use(radixa: Radixa, account: str) -> None:
    wrong = radixa("usage", "--since", "yesterday")
    assert wrong.code == 1
    assert "Invalid 'since': 'yesterday'. Expected seconds since 1970" in wrong.err
    assert radixa("usage", "--by", "colour").code == 2
    assert radixa("usage", "--limit", "0").code == 2
    assert "Example: radixa usage" in radixa("usage", "--help").out
