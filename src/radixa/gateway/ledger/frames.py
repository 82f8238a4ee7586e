"""Rows as they lie in a write-ahead file: a mark, a length, a checksum, and the row as MessagePack."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from radixa.store.ledger.base import LedgerRow

_MARK = b"RXL1"
_HEAD = struct.Struct("<4sII")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LedgerRow).decode


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes from `start` to `end` of a file that should be a row and are none."""

    start: int
    end: int


def frame(row: LedgerRow) -> bytes:
    """One row, ready to be written."""
    body = _encode(row)
    return _HEAD.pack(_MARK, len(body), zlib.crc32(body)) + body


def frames(pieces: Iterable[bytes]) -> Iterator[LedgerRow | Damage]:
    """The rows of a file that comes in pieces, and what is damaged between them. The torn row of a write that death cut
    short is no damage: it ends the file, and its answer had not ended."""
    coming = iter(pieces)
    data, at, before = b"", 0, 0
    while True:
        found = _row(data, at)
        if isinstance(found, tuple):
            row, at = found
            yield row
            continue
        # What a piece cut in two is whole with the next one; behind what is damaged a row may begin anywhere.
        more = next(coming, b"") if found else b"".join(coming)
        if more:
            data, at, before = data[at:] + more, 0, before + at
            continue
        # Reading goes on at the next mark that begins a whole row.
        start, at = at, at + 1
        while (at := data.find(_MARK, at)) >= 0 and not isinstance(_row(data, at), tuple):
            at += 1
        if at >= 0:
            yield Damage(before + start, before + at)
            continue
        if not found:
            yield Damage(before + start, before + len(data))
        return


def _row(data: bytes, at: int) -> tuple[LedgerRow, int] | bool:
    """The row that begins at `at` and where it ends. Without one: whether the file may have been cut within it."""
    if len(data) - at < _HEAD.size:
        return _MARK.startswith(data[at : at + len(_MARK)])
    mark, length, checksum = _HEAD.unpack_from(data, at)
    if mark != _MARK:
        return False
    end = at + _HEAD.size + length
    if end > len(data):
        return True
    body = data[at + _HEAD.size : end]
    if zlib.crc32(body) != checksum:
        return False
    try:
        return _decode(body), end
    except msgspec.DecodeError:
        return False
