"""What was appended is in the database once, also where the process is killed or the disk is full."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from radixa.gateway.ledger.emptying import recover
from radixa.store.ledger.base import Query
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import SqlStore

ROOT = Path(__file__).parents[3]


def killed(home: Path, prefix: str, after: int) -> list[str]:
    """The ids that an appender printed before it was killed, which was once it had printed `after` of them."""
    command = [sys.executable, "-m", "tests.gateway.ledger.appender", str(home), prefix]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        printed = [process.stdout.readline().decode() for _ in range(after)]
        process.kill()
        printed += process.stdout.read().decode().splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL
    return [line.strip() for line in printed if line.endswith("\n")]


def check(book: SqlLedger, printed: set[str], deaths: int) -> None:
    """Exactly once; what was appended and not printed any more may be there too, one row a death."""
    found: list[str] = []
    before = None
    while page := book.rows(Query(), limit=1_000, before=before):
        found += [row.request_id for row in page]
        before = found[-1]
    assert len(found) == len(set(found))
    assert printed <= set(found)
    assert len(set(found) - printed) <= deaths
    assert book.totals(Query()).requests == len(found)
    by_session = book.groups(Query(), "session", limit=1_000)
    assert sum(group.totals.requests for group in by_session) == len(found)


@pytest.mark.parametrize("rounds", [4, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_killed_at_any_moment(store: SqlStore, tmp_path: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    printed: set[str] = set()
    for number in range(rounds):
        printed.update(killed(tmp_path, f"run{number}", chance.randrange(1, 1_500)))
    book = SqlLedger(store.engine)
    recover(book, tmp_path / "ledger")
    check(book, printed, rounds)
    assert sorted(path.name for path in (tmp_path / "ledger").iterdir()) == ["lock"]


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(store: SqlStore, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.gateway.ledger.appender", str(tmp_path), "run", "20000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    printed = done.stdout.splitlines()
    refused = [line for line in printed if line.startswith("refused")]
    assert refused == [
        "refused 503 This request cannot be written to the ledger, so it is not answered: File too large."
    ]
    ids = {line for line in printed if line.startswith("run_")}
    assert len(ids) > 10
    book = SqlLedger(store.engine)
    assert {row.request_id for row in book.rows(Query(), limit=1_000)} == ids
    assert book.totals(Query()).requests == len(ids)
    assert sorted(path.name for path in (tmp_path / "ledger").iterdir()) == ["lock"]
