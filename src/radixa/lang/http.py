"""Blocking HTTP to one server: connections that are kept, JSON in and out, event streams."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import weakref
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from radixa.core.addresses import root_url
from radixa.core.errors import CallFailed

TIMEOUT_S = 600.0
_CONNECT_S = 10.0
_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest)
"""A kept connection that the server has closed meanwhile."""


def _close(connections: list[http.client.HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


class Http:
    """Requests to the server at `url`, with or without `/v1`. Safe to use from several threads.

    `verify`: False takes any certificate, a path names the file of those that are trusted.
    """

    def __init__(self, url: str, api_key: str | None = None, verify: bool | str = True) -> None:
        self.url = root_url(url)
        parts = urlsplit(self.url)
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path
        self._context = _context(verify) if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False
        # Who lets go of it without `close`, or ends the program, leaves no connection open either.
        weakref.finalize(self, _close, self._idle)

    def get(self, path: str) -> Any:
        return self._json("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("POST", path, body)

    def delete(self, path: str) -> Any:
        return self._json("DELETE", path, None)

    def events(self, path: str, body: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        """The objects of an event stream. Closing the iterator closes the connection, which ends the server's work."""
        with self._answer("POST", path, body) as (response, done):
            for line in response:
                data = line[5:].strip() if line.startswith(b"data:") else b""
                if data == b"[DONE]":
                    response.read()
                    done()
                    return
                if data:
                    chunk = json.loads(data)
                    if isinstance(chunk, dict) and chunk.get("error"):
                        raise CallFailed(f"{self.url}{path}: {reason(data)}")
                    yield chunk
        raise CallFailed(f"{self.url}{path} ended the stream before the answer was complete")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            _close(self._idle)

    # ---- inside

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        with self._answer(method, path, body) as (response, done):
            raw = response.read()
            done()
        try:
            return json.loads(raw)
        except ValueError as error:
            raise CallFailed(f"{self.url}{path} answered something that is not JSON: {raw[:80]!r}") from error

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Iterator[tuple[http.client.HTTPResponse, Any]]:
        """The response, and what to call once it was read to its end: the connection is kept only then."""
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        complete = False

        def done() -> None:
            nonlocal complete
            complete = True

        connection, response = None, None
        try:
            connection, response = self._send(method, path, raw)
            if response.status >= 400:
                text = response.read()
                done()
                raise CallFailed(f"{self.url}{path}: {response.status} {reason(text)}", answered=response.status)
            yield response, done
        except (OSError, http.client.HTTPException) as error:
            raise CallFailed(f"{self.url}{path}: {error or type(error).__name__}") from error
        finally:
            if response is not None and connection is not None:
                self._back(connection, response, keep=complete and not response.will_close)

    def _send(
        self, method: str, path: str, raw: bytes | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        while True:
            kept = self._kept()
            connection = kept or self._connected()
            try:
                connection.request(method, self._path + path, raw, self._headers)
                return connection, connection.getresponse()
            except BaseException as error:
                connection.close()
                if kept is None or not isinstance(error, _GONE):
                    raise

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _connected(self) -> http.client.HTTPConnection:
        if self._context is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_CONNECT_S, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_S)
        try:
            connection.connect()
        except OSError as error:
            raise CallFailed(
                f"no server answers at {self.url} ({error}); start one with `radixa serve`, or name another"
            ) from error
        connection.sock.settimeout(TIMEOUT_S)
        return connection

    def _back(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, *, keep: bool) -> None:
        response.close()
        with self._lock:
            if keep and not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def _context(verify: bool | str) -> ssl.SSLContext:
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def reason(body: bytes) -> str:
    """The message of an error's body, else its beginning."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return " ".join(body.decode("utf-8", "replace").split())[:200]
