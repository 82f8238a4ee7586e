"""Every error a user can meet, in one tree. A message says what was wrong, where, and what would be right."""

from __future__ import annotations

from typing import ClassVar


class RadixaError(Exception):
    """The root. `status`, `kind` and `code` are what the HTTP layer puts into an OpenAI-shaped error body."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "server_error"
    code: str | None = None
    param: str | None = None

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


class EngineUnavailable(RadixaError):
    """503: the engine is not ready, or its process died while it worked on this request."""

    status = 503
    kind = "service_unavailable_error"
    code = "engine_unavailable"


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
