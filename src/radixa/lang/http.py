"""Blocking HTTP to one server: JSON in and out, event streams, failures as `CallFailed`."""

from __future__ import annotations

import json
import ssl
import threading
import weakref
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from radixa.core.addresses import root_url
from radixa.core.errors import CallFailed
from radixa.core.refusals import reason

_TIMEOUT = httpx2.Timeout(600.0, connect=10.0)
# Each thread of a batch has a request of its own under way.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None)


class Http:
    """Requests to the server at `url`, with or without `/v1`. Safe to use from several threads.

    `verify`: False takes any certificate, a path names the file of those that are trusted.
    """

    def __init__(self, url: str, api_key: str | None = None, verify: bool | str = True) -> None:
        self.url = root_url(url)
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
            verify=ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify,
            timeout=_TIMEOUT,
            limits=_LIMITS,
            # The server that was named is asked, whatever proxy the environment has for others.
            trust_env=False,
        )
        self._lock = threading.Lock()
        self._under_way = 0
        self._closed = False
        # Who lets go of it without `close`, or ends the program, leaves no connection open either.
        weakref.finalize(self, self._client.close)

    def get(self, path: str) -> Any:
        return self._json("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("POST", path, body)

    def delete(self, path: str) -> Any:
        return self._json("DELETE", path)

    def events(self, path: str, body: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        """The objects of an event stream. Closing the iterator closes the connection, which ends the server's work."""
        complete = False
        with self._answer("POST", path, body) as response:
            # To the stream's own end: the connection is kept only then.
            for event in httpx2.EventSource(response):
                complete = complete or event.data == "[DONE]"
                if complete:
                    continue
                chunk = self._parsed(path, event.data)
                if isinstance(chunk, dict) and chunk.get("error"):
                    raise CallFailed(f"{self.url}{path}: {reason(event.data)}")
                yield chunk
        if not complete:
            raise CallFailed(f"{self.url}{path} ended the stream before the answer was complete")

    def close(self) -> None:
        """Take no more requests, and close the connections once those that are under way have ended."""
        with self._lock:
            self._closed = True
            last = not self._under_way
        if last:
            self._client.close()

    # ---- inside

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with self._answer(method, path, body) as response:
            raw = response.read()
        return self._parsed(path, raw)

    def _parsed(self, path: str, raw: bytes | str) -> Any:
        try:
            return json.loads(raw)
        except ValueError as error:
            raise CallFailed(f"{self.url}{path} answered something that is not JSON: {raw[:80]!r}") from error

    @contextmanager
    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> Iterator[httpx2.Response]:
        # The client's own `json=` knows no lone surrogates, which a text may have.
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        headers = {"Content-Type": "application/json"}
        try:
            with (
                self._counted(),
                self._client.stream(method, self.url + path, content=raw, headers=headers) as response,
            ):
                if response.is_error:
                    response.read()
                    raise CallFailed(
                        f"{self.url}{path}: {response.status_code} {reason(response.text)}",
                        answered=response.status_code,
                    )
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise CallFailed(
                f"no server answers at {self.url} ({error}); start one with `radixa serve`, or name another"
            ) from error
        except httpx2.RequestError as error:
            raise CallFailed(f"{self.url}{path}: {error or type(error).__name__}") from error

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise CallFailed(f"{self.url} is not asked any more: its back end was shut down")
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                last = self._closed and not self._under_way
            if last:
                self._client.close()
