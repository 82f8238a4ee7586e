"""One upstream server over HTTP: time-outs at each stage, and bounded memory. When it is tried again: `tries.py`.

Nothing is read from an upstream faster than it is taken from here, so a slow reader holds up the upstream and no
memory. Redirects are not followed, cookies not kept, and proxies of the environment not used: requests carry keys, and
go to the address that the configuration names only.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from math import inf
from types import MappingProxyType

import aiohttp

from radixa import __version__
from radixa.core.config import ProviderConfig
from radixa.core.errors import RadixaError, UpstreamError, UpstreamTimeout
from radixa.core.tracing import OUTGOING
from radixa.providers.upstream.breaker import Breaker
from radixa.providers.upstream.figures import Figures
from radixa.providers.upstream.reasons import reason
from radixa.providers.upstream.sse import EventParser, EventTooLarge, ServerEvent
from radixa.providers.upstream.tries import Tries

Explain = Callable[[int, Mapping[str, str], bytes], RadixaError]
"""The error that a status of 400 or above, its headers (names in any case) and its body come to."""

MAX_BODY_BYTES = 128 << 20
"""Of an answer that is not a stream: the embeddings of some thousand texts."""
MAX_ERROR_BYTES = 64 << 10
"""What is read of an error's body."""

_IDLE_CONNECTION_S = 30.0
_DNS_S = 60
_DRAIN_S = 0.1
"""How long the end of a stream is waited for after its last event: reaching it saves the connection."""
_LARGE_BODY = 1 << 19
"""A body of so many bytes is written in pieces, between which others run."""
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Upstream:
    """A server at `base_url`. `name` is the provider's, as errors say it; `headers` go with every request."""

    def __init__(
        self,
        name: str,
        base_url: str,
        config: ProviderConfig,
        headers: Mapping[str, str],
        explain: Explain,
        *,
        breaker: Breaker | None = None,
    ) -> None:
        self.name = name
        self._tries = Tries(name, config.retries, Breaker() if breaker is None else breaker)
        self._base_url = base_url.rstrip("/")
        self._config = config
        self._headers = {
            # Nothing compressed: a stream would wait for its compressor, and what is unpacked has no bound.
            "Accept-Encoding": "identity",
            "User-Agent": f"radixa/{__version__}",
            "Content-Type": "application/json",
            **headers,
        }
        self._explain = explain
        self._longest_s = max(config.first_byte_timeout_s, config.idle_timeout_s)
        """Between two events, however many comments come."""
        self._session: aiohttp.ClientSession | None = None

    @property
    def breaker(self) -> Breaker:
        return self._tries.breaker

    @property
    def figures(self) -> Figures:
        return self._tries.figures

    @property
    def ready(self) -> bool:
        """Whether a request would be sent now: false while the breaker is open."""
        return not self.breaker.left

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] = _NO_HEADERS) -> bytes:
        """The JSON that the upstream answers, as it came; every failure is raised."""
        return await self._tries.of(lambda: self._whole(path, body, headers))

    async def stream(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str] = _NO_HEADERS,
        last: Callable[[ServerEvent], bool] | None = None,
    ) -> AsyncIterator[ServerEvent]:
        """The events of an answer as they come; closing the iterator ends the call at the upstream.

        What fails before the first event is tried again, then raised; after it, an UpstreamError that is not
        `retryable`. The end of the connection is the end of the iterator: whoever reads knows whether the answer was
        complete. `last` says which event is the last; what comes after that one is not waited for, but read on to the
        end of the iterator, or the connection is lost to others.
        """
        response, parser, events = await self._tries.of(lambda: self._begun(path, body, headers))
        try:
            deadline = self._deadline()
            while True:
                for event in events:
                    yield event
                    if last is not None and last(event):
                        await _drain(response)
                        return
                if events:
                    # From here: the time that the reader took is not the upstream's.
                    deadline = self._deadline()
                data = await self._more(response, deadline, retryable=False)
                if not data:
                    for event in parser.end():
                        yield event
                    return
                events = self._parsed(parser, data, begun=True)
        except UpstreamError as error:
            self._tries.broke_off(error)
            raise
        finally:
            response.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ---- one try

    async def _whole(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        response, data = await self._open(path, body, headers, "application/json", "json")
        try:
            pieces: list[bytes] = []
            size = 0
            while data:
                pieces.append(data)
                size += len(data)
                if size > MAX_BODY_BYTES:
                    raise UpstreamError(
                        f"{self.name} answered with more than {MAX_BODY_BYTES} bytes. Ask for less at once.",
                        retryable=False,
                    )
                data = await self._more(response, inf, retryable=True)
        finally:
            response.close()
        return b"".join(pieces)

    async def _begun(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, EventParser, list[ServerEvent]]:
        """A stream up to its first events."""
        deadline = self._deadline()
        response, data = await self._open(path, body, headers, "text/event-stream", "text/event-stream")
        parser = EventParser()
        try:
            while not (events := self._parsed(parser, data, begun=False)):
                data = await self._more(response, deadline, retryable=True)
                if not data:
                    events = parser.end()
                    if events:
                        break
                    raise UpstreamError(f"{self.name} ended the answer before it began.")
        except BaseException:
            response.close()
            raise
        return response, parser, events

    async def _open(
        self, path: str, body: bytes, headers: Mapping[str, str], accept: str, wanted: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """An answer of status 200 with `wanted` in its content type, and the first bytes of its body."""
        within = self._config.first_byte_timeout_s
        try:
            async with asyncio.timeout(within):
                response = await self._opened().post(
                    self._base_url + path,
                    data=body if len(body) < _LARGE_BODY else io.BytesIO(body),
                    headers={**self._headers, "Accept": accept, **headers, **OUTGOING.get()},
                    allow_redirects=False,
                )
                try:
                    if response.status != 200:
                        raise await self._refused(response)
                    self._check_type(response, wanted)
                    data = await response.content.readany()
                    if not data:
                        raise UpstreamError(f"{self.name} answered with nothing.")
                except BaseException:
                    response.close()
                    raise
                return response, data
        except aiohttp.ConnectionTimeoutError as error:
            within = self._config.connect_timeout_s
            raise UpstreamTimeout(f"{self.name} did not connect within {within:g} s.") from error
        except TimeoutError as error:
            raise UpstreamTimeout(f"{self.name} did not begin to answer within {within:g} s.") from error
        except aiohttp.ClientConnectorError as error:
            raise UpstreamError(f"{self.name} cannot be reached: {reason(error)}.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(f"{self.name} broke off before it answered: {reason(error)}.") from error

    def _deadline(self) -> float:
        """When the next event must have come, by the loop's clock, if nothing but comments comes before it."""
        return asyncio.get_running_loop().time() + self._longest_s

    async def _more(self, response: aiohttp.ClientResponse, deadline: float, *, retryable: bool) -> bytes:
        """The next bytes; empty at the end. `retryable`: nothing of the answer was handed on."""
        now, idle_s = asyncio.get_running_loop().time(), self._config.idle_timeout_s
        try:
            if now >= deadline:
                raise TimeoutError
            # What is there already needs no timer.
            found = response.content.read_nowait()
            if found or response.content.at_eof():
                return found
            async with asyncio.timeout_at(min(now + idle_s, deadline)):
                return await response.content.readany()
        except TimeoutError as error:
            silent = now + idle_s <= deadline
            what = f"nothing came for {idle_s:g} s" if silent else f"no event came for {self._longest_s:g} s"
            raise UpstreamTimeout(f"{self.name} stopped answering: {what}.", retryable=retryable) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(f"{self.name} broke off its answer: {reason(error)}.", retryable=retryable) from error

    def _parsed(self, parser: EventParser, data: bytes, *, begun: bool) -> list[ServerEvent]:
        try:
            return parser.feed(data)
        except EventTooLarge as error:
            where = "in the middle of its answer" if begun else "at the beginning of its answer"
            raise UpstreamError(f"{self.name} sent {error} {where}.", retryable=False) from error

    async def _refused(self, response: aiohttp.ClientResponse) -> RadixaError:
        """What an answer of another status than 200 says."""
        status = response.status
        if status < 300:
            return UpstreamError(f"{self.name} answered with status {status}, expected 200.", retryable=False)
        if status < 400:
            return UpstreamError(
                f"{self.name} answered with a redirect (status {status}), which is not followed. "
                f"Its base_url should be the address that it leads to.",
                retryable=False,
            )
        body = bytearray()
        while len(body) < MAX_ERROR_BYTES and (data := await response.content.readany()):
            body += data
        return self._explain(status, response.headers, bytes(body[:MAX_ERROR_BYTES]))

    def _check_type(self, response: aiohttp.ClientResponse, wanted: str) -> None:
        given = response.content_type
        if wanted not in given:
            raise UpstreamError(
                f"{self.name} answered with content of type '{given[:80]}', expected '{wanted}'.", retryable=False
            )

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made in the loop that runs."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._config.max_connections, ttl_dns_cache=_DNS_S, keepalive_timeout=_IDLE_CONNECTION_S
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=None, sock_connect=self._config.connect_timeout_s, sock_read=None
                ),
                trust_env=False,
            )
        return self._session


async def _drain(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_DRAIN_S):
            while await response.content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError, OSError):
        # The answer is complete without it; the connection is closed instead of kept.
        return
