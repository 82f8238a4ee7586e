"""Server-sent events, read piece by piece as they come from a socket."""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT_BYTES = 8 << 20
"""Of one event. What an image or a sound inside one takes, and no more than a process can hold for each stream."""

_BOM = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    event: str
    """Its name; empty where the stream names none."""
    data: bytes
    """Of several `data:` lines, joined by newlines."""


class EventTooLarge(ValueError):
    """One event is over the parser's limit."""


class EventParser:
    """Bytes in, events out. They may be split anywhere; comments, ids and `retry:` are passed over.

    Lines end with LF, CRLF or CR. `limit`: bytes of the largest event, over which EventTooLarge is raised.
    """

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._after_cr = False
        self._begun = False

    def feed(self, data: bytes) -> list[ServerEvent]:
        """The events that `data` completes."""
        if self._after_cr and data:
            # The CR before was taken for the end of a line; its LF is no second one.
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        buffer = self._buffer
        scanned = max(0, len(buffer) - 1)
        buffer += data
        if not self._begun:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return []
            self._begun = True
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        events = []
        start = 0
        while (end := buffer.find(b"\n\n", max(start, scanned))) >= 0:
            self._check(end - start)
            event = _read(bytes(buffer[start:end]))
            if event is not None:
                events.append(event)
            start = end + 2
        if start:
            del buffer[:start]
        self._check(len(buffer))
        return events

    def end(self) -> list[ServerEvent]:
        """What an event that lacks the blank line after it holds, where the stream has ended."""
        event = _read(bytes(self._buffer))
        self._buffer.clear()
        return [] if event is None else [event]

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLarge(f"an event of more than {self._limit} bytes")


def _read(block: bytes) -> ServerEvent | None:
    """The event of these lines; None where they have no data."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return ServerEvent("", block[6:])
    name = ""
    data = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return ServerEvent(name, b"\n".join(data)) if data else None
