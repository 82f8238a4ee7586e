"""Rows in a write-ahead file: what is whole is read, whatever lies beside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.gateway.ledger.frames import Damage, frame, frames
from radixa.store.ledger.base import LedgerRow
from tests.store.ledger.rows import row, rows


def read(data: bytes) -> tuple[list[LedgerRow], list[Damage]]:
    found = list(frames([data]))
    return [one for one in found if isinstance(one, LedgerRow)], [one for one in found if isinstance(one, Damage)]


@given(st.lists(rows(), max_size=5))
def test_rows_are_read_as_they_were_written(written: list[LedgerRow]) -> None:
    assert read(b"".join(map(frame, written))) == (written, [])


@given(st.lists(rows(), min_size=1, max_size=3), st.data())
def test_a_torn_row_ends_the_file_and_is_no_damage(written: list[LedgerRow], data: st.DataObject) -> None:
    whole = b"".join(map(frame, written))
    last = len(frame(written[-1]))
    cut = data.draw(st.integers(1, last))
    assert read(whole[:-cut]) == (written[:-1], [])


@given(st.lists(rows(), min_size=3, max_size=5), st.data())
def test_a_changed_byte_costs_one_row_and_is_told(written: list[LedgerRow], data: st.DataObject) -> None:
    parts = [frame(one) for one in written]
    which = data.draw(st.integers(0, len(parts) - 2))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    bit = data.draw(st.integers(0, 7))
    broken = bytearray(parts[which])
    broken[at] ^= 1 << bit
    found, damage = read(b"".join([*parts[:which], bytes(broken), *parts[which + 1 :]]))
    assert found == written[:which] + written[which + 1 :]
    start = sum(map(len, parts[:which]))
    assert damage == [Damage(start, start + len(parts[which]))]


@given(st.lists(rows(), max_size=4), st.binary(max_size=40), st.lists(st.integers(0, 4), max_size=8), st.data())
def test_a_file_reads_alike_in_pieces_of_any_size(
    written: list[LedgerRow], noise: bytes, order: list[int], data: st.DataObject
) -> None:
    parts = [*map(frame, written), noise]
    whole = b"".join(parts[which % len(parts)] for which in order)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if start < end]
    assert list(frames(pieces)) == list(frames([whole]))


def test_a_last_row_with_a_wrong_checksum_is_told() -> None:
    whole = frame(row("req_1")) + frame(row("req_2"))
    broken = whole[:-1] + bytes([whole[-1] ^ 1])
    found, damage = read(broken)
    assert [one.request_id for one in found] == ["req_1"]
    assert damage == [Damage(len(frame(row("req_1"))), len(whole))]


@given(st.binary(max_size=200))
def test_nothing_that_lies_in_a_file_stops_reading(noise: bytes) -> None:
    found, _ = read(noise + frame(row("req_1")))
    assert [one.request_id for one in found] == ["req_1"]
