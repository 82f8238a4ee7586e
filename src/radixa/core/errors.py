"""Every error a user can meet, in one tree. A message says what was wrong, where, and what would be right."""

from __future__ import annotations


class RadixaError(Exception):
    """The root. `status`, `kind` and `code` are what the HTTP layer puts into an OpenAI-shaped error body."""

    status: int = 500
    kind: str = "server_error"
    code: str | None = None
    param: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent with the answer that says this, such as `retry-after`."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class InvalidRequest(RadixaError):
    """400: a field is missing, of the wrong type or out of range; `param` names it."""

    status = 400
    kind = "invalid_request_error"


class ContextTooLong(InvalidRequest):
    """400: the prompt does not fit the model's context or the KV pool."""

    code = "context_length_exceeded"


class BodyTimeout(InvalidRequest):
    """408: the body stopped coming before it was complete."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(InvalidRequest):
    """413: the body is over the server's limit."""

    status = 413


class Unauthorized(InvalidRequest):
    """401: no key, or not one of ours."""

    status = 401
    code = "invalid_api_key"


class Forbidden(InvalidRequest):
    """403: a key that may not do this."""

    status = 403


class NotFound(InvalidRequest):
    """404: no such route or object."""

    status = 404


class ModelNotFound(NotFound):
    """404: no such model, or one whose provider has no key."""

    code = "model_not_found"


class MethodNotAllowed(InvalidRequest):
    """405: the route exists, the method does not."""

    status = 405


class UnsupportedMediaType(InvalidRequest):
    """415: a body that does not say it is JSON, where that is asked for."""

    status = 415


class Conflict(InvalidRequest):
    """409: it contradicts what is there already."""

    status = 409


class RateLimited(RadixaError):
    """429: more than a limit allows now. `kind` is what there is too much of: `requests` or `tokens`.

    `retry_ms` is when it would be admitted; None where it never will be, and trying again is pointless.
    """

    status = 429
    kind = "requests"
    code = "rate_limit_exceeded"

    def __init__(
        self, message: str, *, kind: str, retry_ms: int | None, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_ms = retry_ms
        self.headers = (*_retry(retry_ms), *headers)


class QuotaExceeded(RadixaError):
    """429: no credit, or a budget that is used up. Trying again is pointless."""

    status = 429
    kind = "insufficient_quota"
    code = "insufficient_quota"
    headers = ((b"x-should-retry", b"false"),)


class StoreUnavailable(RadixaError):
    """503: the database does not answer, and what it decides cannot be decided."""

    status = 503
    kind = "service_unavailable_error"
    code = "store_unavailable"


class EngineUnavailable(RadixaError):
    """503: the engine is not ready, or its process died while it worked on this request."""

    status = 503
    kind = "service_unavailable_error"
    code = "engine_unavailable"


class UpstreamError(RadixaError):
    """A provider's server failed: it cannot be reached, broke off, or answered with something that is no answer (502).

    `retryable`: nothing of an answer came, so another try, or another provider, may do better. `retry_after` is how
    many seconds the upstream itself asked to wait.
    """

    status = 502
    kind = "upstream_error"
    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retryable: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        if status is not None:
            self.status = status
        self.retryable = retryable
        self.retry_after = retry_after


class UpstreamTimeout(UpstreamError):
    """504: the upstream did not connect, begin or go on in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamRefused(InvalidRequest):
    """The upstream says that the request itself is wrong; its status (4xx), message, `param` and code go on."""

    def __init__(self, message: str, *, status: int, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status


class LedgerUnavailable(RadixaError):
    """503: what a request used cannot be written down, so it is not answered."""

    status = 503
    kind = "service_unavailable_error"
    code = "ledger_unavailable"


class RowsRefused(RadixaError):
    """The database will never take one of the ledger's rows; adding them again would fail again."""


class ConfigError(RadixaError):
    """A value in the configuration that cannot be: the message names the key, where it came from and what is
    expected."""


class ModelError(RadixaError):
    """A model that cannot be found, fetched, read or served."""


class TraceError(RadixaError):
    """A trace file that `radixa replay` cannot read; the message names file and line."""


class CallFailed(RadixaError):
    """A server that we called did not answer, or answered with an error; the message names its address."""

    def __init__(self, message: str, *, answered: int | None = None) -> None:
        super().__init__(message)
        self.answered = answered
        """The HTTP status it answered with, where it did."""


def unsupported(param: str, what: str) -> InvalidRequest:
    """A parameter that the API has and whoever answers this request cannot serve."""
    return InvalidRequest(f"Unsupported parameter: '{param}': {what}", param=param, code="unsupported_parameter")


def _retry(ms: int | None) -> tuple[tuple[bytes, bytes], ...]:
    """When to come again, in whole seconds and exactly; or that it is no use."""
    if ms is None:
        return ((b"x-should-retry", b"false"),)
    ms = max(1, ms)
    return ((b"retry-after", b"%d" % -(-ms // 1000)), (b"retry-after-ms", b"%d" % ms))


_SHOWN_CHARACTERS = 100


def shown(value: object) -> str:
    """A caller's value as a message repeats it: enough to recognise it, never megabytes."""
    # Python writes no integer of more than 4,300 digits.
    text = "a very long number" if isinstance(value, int) and value.bit_length() > 4096 else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
