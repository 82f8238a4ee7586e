"""What the server writes to its standard error stream: a line for each request, and what went wrong.

Keys, bodies, headers and query strings are never in it; a request's path is its route's, not what the client wrote. The
lines of requests are written by themselves, since there may be thousands a second; all others come through `logging`.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec

from radixa.core.config import LogConfig
from radixa.core.money import usd
from radixa.gateway.request import Request

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that this task answers."""

AccessLog = Callable[[Request, str, int, float], None]
"""Takes a request that is over, its route, the status that its caller got, and its seconds."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_STDERR = 2
_TOGETHER_S = 0.01
_ONE_PIECE = 4096
"""Bytes that a pipe takes at once, however many write to it (Linux)."""
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
"""A line is a line: nobody's text begins another one."""

_encode = msgspec.json.Encoder().encode


def no_access_log(request: Request, route: str, status: int, seconds: float) -> None:
    """The access log that is off."""


def access_log(config: LogConfig) -> AccessLog:
    """The lines of requests, which the level `info` has."""
    if _LEVELS[config.level] > logging.INFO:
        return no_access_log
    return _json_line if config.format == "json" else _text_line


def log_to_stderr(config: LogConfig) -> None:
    """From now on this process's log is written as configured."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if config.format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries say much that is of no use to who runs a server.
    root.setLevel(logging.WARNING)
    logging.getLogger("radixa").setLevel(_LEVELS[config.level])


class TextLines(logging.Formatter):
    """`2026-11-24T16:45:12.123Z WARNING radixa.providers req_… what happened`, then a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        who = REQUEST_ID.get()
        message = record.getMessage().translate(_CONTROL)
        line = f"{_time(record.created)} {record.levelname} {record.name} {who + ' ' if who else ''}{message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if who := REQUEST_ID.get():
            fields["request_id"] = who
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return _encode(fields).decode()


class AccessLine(msgspec.Struct, omit_defaults=True):
    """A request that is over. What is unknown is left out; zero is written."""

    time: str
    level: str
    logger: str
    request_id: str
    method: str
    route: str
    status: int
    duration_ms: float
    account_id: str = ""
    key_id: str = ""
    model: str = ""
    served_by: str = ""
    provider: str = ""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    cost_nano_usd: int | None = None
    ttft_ms: float | None = None


def _json_line(request: Request, route: str, status: int, seconds: float) -> None:
    LINES.add(_encode(_line(request, route, status, seconds)) + b"\n")


def _text_line(request: Request, route: str, status: int, seconds: float) -> None:
    line = _line(request, route, status, seconds)
    text = f"{line.time} INFO {line.request_id} {line.method} {line.route} {status} {line.duration_ms:.1f}ms"
    row = request.row
    if row is not None:
        cost = "?" if row.cost_nano_usd is None else usd(row.cost_nano_usd)
        text += (
            f" {row.model} prompt={row.prompt_tokens} cached={row.cached_tokens} completion={row.completion_tokens}"
            f" cost=${cost}"
        )
        if row.ttft_ms is not None:
            text += f" ttft={row.ttft_ms:.1f}ms"
    if line.key_id:
        text += f" {line.key_id}"
    if line.account_id:
        text += f" {line.account_id}"
    LINES.add(text.encode() + b"\n")


def _line(request: Request, route: str, status: int, seconds: float) -> AccessLine:
    line = AccessLine(
        time=_time(time.time()),
        level="info",
        logger="radixa.access",
        request_id=request.id,
        # HTTP allows any word here.
        method=request.method[:16].translate(_CONTROL),
        route=route,
        status=status,
        duration_ms=round(seconds * 1e3, 3),
    )
    known, row, offer = request.known, request.row, request.offer
    if known is not None:
        line.account_id, line.key_id = known.account_id, known.key_id
    if row is not None:
        line.model, line.served_by, line.provider = row.model, row.served_by, row.provider
        line.prompt_tokens, line.cached_tokens = row.prompt_tokens, row.cached_tokens
        line.completion_tokens, line.cost_nano_usd = row.completion_tokens, row.cost_nano_usd
        line.ttft_ms = row.ttft_ms
    elif offer is not None:
        line.model, line.provider = offer.id, offer.provider
    return line


class Lines:
    """Lines for standard error: those of a few milliseconds go out in one call of the operating system, which keeps
    them apart from those of other threads and processes."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        atexit.register(self.flush)

    def add(self, line: bytes) -> None:
        """`line` ends with a newline. Called on the event loop."""
        if self._size + len(line) > _ONE_PIECE:
            self.flush()
        if not self._lines:
            asyncio.get_running_loop().call_later(_TOGETHER_S, self.flush)
        self._lines.append(line)
        self._size += len(line)

    def flush(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        try:
            if lines:
                os.write(_STDERR, b"".join(lines))
        except OSError:
            # Nobody reads it, or no room is left: a request is not to fail for its line.
            return


LINES = Lines()


def _time(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
