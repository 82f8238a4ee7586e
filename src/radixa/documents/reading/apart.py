"""Reading in a process of its own, which ends in time: a small file can be made so that a parser takes hours over it.

It also keeps a long read from the interpreter that answers requests.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec

from radixa.core.errors import InvalidRequest, shown
from radixa.documents.base import Kind, Section
from radixa.documents.reading.read import read

SMALL_BYTES = 32 * 1024
"""Read here: a process takes 0.2 s to start, and so little cannot keep a parser of HTML or Markdown busy."""
LONGEST_S = 120
_readers: set[subprocess.Popen[bytes]] = set()


class _Asked(msgspec.Struct, frozen=True):
    name: str
    kind: Kind
    data: bytes
    seconds: int


class _Refused(msgspec.Struct, tag=True, frozen=True):
    message: str
    param: str | None
    code: str | None


class _Read(msgspec.Struct, tag=True, frozen=True):
    sections: list[Section]


def read_apart(name: str, kind: Kind, data: bytes, seconds: int = LONGEST_S) -> list[Section]:
    """As `read`; InvalidRequest also where that takes longer than `seconds`, or the reader breaks off."""
    if kind == "text" or (kind != "pdf" and len(data) <= SMALL_BYTES):
        return read(name, kind, data)
    asked = msgspec.msgpack.encode(_Asked(name, kind, data, seconds))
    command = [sys.executable, "-m", "radixa.documents.reading.apart"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as reader:
        _readers.add(reader)
        try:
            answer, _ = reader.communicate(asked)
        finally:
            _readers.discard(reader)
    if reader.returncode:
        late = reader.returncode == -signal.SIGALRM
        why = f"that takes longer than {seconds} seconds" if late else f"its reader broke off ({reader.returncode})"
        raise InvalidRequest(
            f"The document '{shown(name)}' cannot be read: {why}.", param="documents", code="unreadable_document"
        )
    found = msgspec.msgpack.decode(answer, type=_Read | _Refused)
    if isinstance(found, _Refused):
        raise InvalidRequest(found.message, param=found.param, code=found.code)
    return found.sections


def end_readers() -> None:
    """End all that read now: for whoever ends himself, who would wait for them."""
    for reader in tuple(_readers):
        reader.kill()


def _main() -> None:
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Asked)
    # Ends this process wherever it is, also where the one that asked is gone.
    signal.alarm(asked.seconds)
    found: _Read | _Refused
    try:
        found = _Read(read(asked.name, asked.kind, asked.data))
    except InvalidRequest as error:
        found = _Refused(error.message, error.param, error.code)
    sys.stdout.buffer.write(msgspec.msgpack.encode(found))


if __name__ == "__main__":
    _main()
