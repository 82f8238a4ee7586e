"""What Anthropic says when it does not answer, as our errors.

`{"type": "error", "error": {"type": "invalid_request_error", "message": "..."}, "request_id": "..."}`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from radixa.core.errors import ContextTooLong, RadixaError, UpstreamError, UpstreamRefused
from radixa.providers.upstream.refusals import Account, failure, refused
from radixa.providers.upstream.unreadable import UNREADABLE

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Of errors that come without a status, as events of a stream."""
_TOO_LONG = re.compile(r"prompt is too long|exceed(s|ed)? (the )?context", re.IGNORECASE)
_NO_CREDIT = re.compile(r"credit balance is too low", re.IGNORECASE)
_FIELD = re.compile(r"((?:[a-z_]+|\d+)(?:\.(?:[a-z_]+|\d+))*): ", re.ASCII)
"""What a message begins with where it names a field, such as `messages.0.content`."""


class Said(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Failure(msgspec.Struct):
    error: Said = Said()


_failure = msgspec.json.Decoder(_Failure)


def explainer(account: Account) -> Callable[[int, Mapping[str, str], bytes], RadixaError]:
    """`explain` for an upstream."""

    def explain(status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
        return explained(account, status, _read(body), headers)

    return explain


def explained(account: Account, status: int, said: Said, headers: Mapping[str, str]) -> RadixaError:
    text = account.shown(said.message)
    failed = failure(
        account,
        status,
        text,
        headers,
        limit="tokens" if "token" in text else "requests",
        no_credit=_NO_CREDIT.search(text) is not None,
    )
    if failed is not None:
        return failed
    if _TOO_LONG.search(text):
        return ContextTooLong(text, param="messages")
    field = _FIELD.match(text)
    return UpstreamRefused(
        refused(account, status, text),
        status=status,
        param=field[1] if field else None,
        code="model_not_found" if status == 404 and "model" in text else None,
    )


def in_stream(account: Account, said: Said, *, begun: bool) -> RadixaError:
    """An error that came as an event; `begun`: after something of an answer."""
    if not begun:
        return explained(account, _STATUS.get(said.type, 500), said, {})
    text = account.shown(said.message)
    overloaded = said.type == "overloaded_error"
    return UpstreamError(
        f"{account.name} broke off its answer ({said.type or 'error'}){f': {text}' if text else '.'}",
        status=503 if overloaded else None,
        retryable=False,
    )


def _read(body: bytes) -> Said:
    """What an error's body says; nothing where it is not Anthropic's, as those of a proxy in between are."""
    try:
        return _failure.decode(body).error
    except UNREADABLE:
        return Said()
