"""Rows get into the database once, whatever the database, the disk and other processes do."""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, make_url, text

from radixa.core.config import StoreConfig
from radixa.core.errors import LedgerUnavailable
from radixa.gateway.ledger.book import Ledger
from radixa.gateway.ledger.emptying import REFUSED, recover
from radixa.gateway.ledger.files import DAMAGED, new_file
from radixa.gateway.ledger.frames import frame, frames
from radixa.gateway.ledger.journal import Journal
from radixa.store.database import POSTGRES
from radixa.store.ledger.base import LedgerRow, Query
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import SqlStore, open_store
from tests.store.ledger.rows import row

SOON_S = 20.0
ALL = Query()


def ids(book: SqlLedger) -> list[str]:
    return sorted(found.request_id for found in book.rows(ALL, limit=1_000))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.wal"))


def test_a_row_is_moved_by_itself(ledger: Ledger, book: SqlLedger) -> None:
    wanted = row("req_1", session_id="talk", stream=True, blocks=b"12345678", cost_nano_usd=None)
    ledger.append(wanted)
    until = threading.Event()
    while not ids(book):
        assert not until.wait(0.01)
    assert list(book.blocks()) == [wanted]
    assert ledger.flush(SOON_S)
    assert ledger.waiting == 0


def test_files_are_for_their_user_alone_and_go_when_they_are_empty(ledger: Ledger, folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    ledger.append(row("req_1"))
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ledger.flush(SOON_S)
    ledger.close()
    assert files(folder) == []


def test_rows_of_many_threads(ledger: Ledger, book: SqlLedger) -> None:
    def append(number: int) -> None:
        for at in range(50):
            ledger.append(row(f"req_{number}_{at}"))

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.flush(SOON_S)
    assert len(ids(book)) == book.totals(ALL).requests == 200


def test_before_the_start_and_after_the_end_nothing_is_taken(book: SqlLedger, folder: Path) -> None:
    ledger = Ledger(book, folder)
    with pytest.raises(LedgerUnavailable, match="not open yet") as error:
        ledger.append(row("req_1"))
    assert error.value.status == 503
    ledger.start()
    ledger.append(row("req_2"))
    ledger.close()
    with pytest.raises(LedgerUnavailable):
        ledger.append(row("req_3"))
    ledger.close()
    assert ids(book) == ["req_2"]


def test_each_process_has_a_file_of_its_own(book: SqlLedger, folder: Path) -> None:
    one, two = Ledger(book, folder, move_s=3600), Ledger(book, folder, move_s=3600)
    one.start()
    one.append(row("req_1"))
    # The first one's file is held, so it is not what a dead process left.
    assert two.start() == 0
    two.append(row("req_2"))
    assert len(files(folder)) == 2
    assert ids(book) == []
    two.close()
    assert ids(book) == ["req_2"]
    one.close()
    assert ids(book) == ["req_1", "req_2"]
    assert files(folder) == []


def test_what_was_left_behind_is_added_once(book: SqlLedger, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    left = new_file(folder)
    os.write(left.descriptor, frame(row("req_1")) + frame(row("req_2")) + frame(row("req_3"))[:-5])
    left.release()
    # Its process died after it had added the first row and before it removed the file.
    book.add([row("req_1")])
    ledger = Ledger(book, folder)
    assert ledger.start() == 1
    ledger.close()
    assert ids(book) == ["req_1", "req_2"]
    assert book.totals(ALL).requests == 2
    assert files(folder) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_damaged_file_is_told_and_kept(book: SqlLedger, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    left = new_file(folder)
    broken = bytearray(frame(row("req_1")))
    broken[40] ^= 1
    os.write(left.descriptor, bytes(broken) + frame(row("req_2")))
    left.release()
    assert recover(book, folder) == 1
    assert ids(book) == ["req_2"]
    assert files(folder) == []
    assert len(list(folder.glob(f"*{DAMAGED}"))) == 1
    assert f"bytes 0 to {len(broken)} are no row" in caplog.text
    assert recover(book, folder) == 0


def test_texts_that_no_database_takes(ledger: Ledger, book: SqlLedger) -> None:
    ledger.append(row("req_1", session_id="a\0b\ud800", model="m" * 5_000, prompt_tokens=-1, completion_tokens=1 << 90))
    ledger.append(row("req_2", session_id="été"))
    assert ledger.flush(SOON_S)
    two, one = book.rows(ALL, limit=2)
    assert two.session_id == "été"
    assert one.session_id == "a?b?"
    assert one.model == "m" * 512
    assert (one.prompt_tokens, one.completion_tokens) == (0, 10**12)


def test_a_row_that_is_refused_holds_up_no_other(
    book: SqlLedger, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left = new_file(folder)
    # As an older version might have written it, without looking at its counts.
    written = [row("req_1"), row("req_2", prompt_tokens=1 << 63), row("req_3")]
    os.write(left.descriptor, b"".join(map(frame, written)))
    left.release()
    assert recover(book, folder) == 2
    assert ids(book) == ["req_1", "req_3"]
    assert list(frames([(folder / REFUSED).read_bytes()])) == [written[1]]
    assert "req_2" in caplog.text


def test_a_database_that_is_locked_for_long(store: SqlStore, book: SqlLedger, folder: Path) -> None:
    @event.listens_for(store.engine, "connect")
    def impatient(connection: object, record: object) -> None:
        connection.execute("PRAGMA busy_timeout=1")  # type: ignore[attr-defined]

    store.engine.dispose()
    away = create_engine(store.engine.url)
    with away.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        outage(book, folder, other.rollback)
    away.dispose()


def test_a_database_server_that_goes_and_comes_back(postgres_schema: str, postgres_url: str, folder: Path) -> None:
    open_store(StoreConfig(url=postgres_schema)).close()
    role, password = f"radixa_test_{secrets.token_hex(6)}", secrets.token_hex(16)
    admin = create_engine(make_url(postgres_url).set(drivername=POSTGRES), isolation_level="AUTOCOMMIT")
    url = make_url(postgres_schema)
    schema = str(url.query["options"]).partition("=")[2]
    store = open_store(StoreConfig(url=postgres_schema))
    store.engine.dispose()
    with admin.connect() as operator:
        for statement in (
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}'",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}",
        ):
            operator.execute(text(statement))
        engine = create_engine(url.set(drivername=POSTGRES, username=role, password=password), pool_pre_ping=True)
        try:
            book = SqlLedger(engine)
            book.add([])
            operator.execute(text(f"ALTER ROLE {role} NOLOGIN"))
            outage(book, folder, lambda: operator.execute(text(f"ALTER ROLE {role} LOGIN")))
        finally:
            engine.dispose()
            store.close()
            operator.execute(text(f"DROP OWNED BY {role}"))
            operator.execute(text(f"DROP ROLE {role}"))
    admin.dispose()


def outage(book: SqlLedger, folder: Path, end: Callable[[], object]) -> None:
    """Rows wait in files while the database is away, which is said once, and are there when it is back."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("radixa.gateway")
    log.addHandler(handler)
    ledger = Ledger(book, folder, move_s=0.01)
    ledger.start()
    try:
        for at in range(20):
            ledger.append(row(f"req_{at}"))
            assert not ledger.flush(0.02)
        assert ledger.waiting == 20
        assert len(said) == 1
        assert "Rows cannot be added to the ledger" in said[0]
        end()
        assert ledger.flush(SOON_S)
        assert len(ids(book)) == book.totals(ALL).requests == 20
        pause = threading.Event()
        while len(said) < 2:
            assert not pause.wait(0.01)
        assert said[1:] == ["The ledger's rows are added again"]
    finally:
        ledger.close()
        log.removeHandler(handler)
    assert files(folder) == []


def test_a_database_that_stays_away_leaves_the_rows_to_the_next_start(
    store: SqlStore, book: SqlLedger, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(book, folder, move_s=0.01)
    ledger.start()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE ledger RENAME TO gone")
    ledger.append(row("req_1"))
    ledger.close(timeout_s=0.2)
    assert f"Rows that wait in {folder} for the next start: 1" in caplog.text
    assert len(files(folder)) == 1
    with pytest.raises(LedgerUnavailable, match="no such table: ledger"):
        Ledger(book, folder).start()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO ledger")
    again = Ledger(book, folder)
    assert again.start() == 1
    again.close()
    assert ids(book) == ["req_1"]


def test_full_files_are_changed_so_that_none_grows_without_bound(folder: Path) -> None:
    data = frame(row("req_1"))
    journal = Journal(folder, full_bytes=10 * len(data))
    for _ in range(35):
        journal.append(data)
        journal.seal(full=True)
    assert [file.size for file in journal.sealed] == [10 * len(data)] * 3
    assert sum(len(list(frames(file.pieces()))) for file in journal.sealed) == 30
    journal.stop()
    journal.release()
    assert len(files(folder)) == 4


def test_a_folder_that_cannot_be_used(book: SqlLedger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnavailable, match="cannot be used"):
        Ledger(book, tmp_path / "file" / "ledger").start()


def test_frames_hold_nothing_but_counts_and_names() -> None:
    types = {str(kind) for kind in LedgerRow.__annotations__.values()}
    assert types == {"str", "float", "int", "bool", "bytes", "Api", "int | None", "float | None"}
    texts = {name for name, kind in LedgerRow.__annotations__.items() if kind == "str"}
    assert texts == {
        "request_id", "account_id", "key_id", "session_id", "model", "served_by", "provider", "fallback_from"
    }  # fmt: skip


def test_a_file_that_goes_while_it_is_looked_for_is_nobodys(book: SqlLedger, folder: Path) -> None:
    left = new_file(folder)
    os.write(left.descriptor, frame(row("req_1")))
    left.release()
    # A name in the folder with nothing behind it, as when another server removes its file in that moment.
    (folder / "0.wal").symlink_to(folder / "gone")
    assert recover(book, folder) == 1
    assert ids(book) == ["req_1"]


def test_a_file_can_be_emptied_only_once_it_is_sealed_to_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever empties a file closes it: nothing may be done to it after that."""
    journal = Journal(folder)
    journal.append(frame(row("req_1")))
    sync, seen = os.fsync, []

    def watched(descriptor: int) -> None:
        seen.append(len(journal.sealed))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    journal.seal()
    assert set(seen) == {0}
    assert len(journal.sealed) == 1
    journal.release()
