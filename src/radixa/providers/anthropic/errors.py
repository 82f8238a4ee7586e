"""What Anthropic says when it does not answer, as our errors.

`{"type": "error", "error": {"type": "invalid_request_error", "message": "..."}, "request_id": "..."}`. What is wrong
with this server's own key or credit is its operator's trouble, so it never goes out as a 401 of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import ceil

import msgspec

from radixa.core.errors import (
    ContextTooLong,
    RadixaError,
    RateLimited,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from radixa.providers.upstream.retry import retry_after

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
_LATER_MS = 1_000
"""When to come back where a limit does not say when."""
_MOST_CHARACTERS = 1_000
_KEY = re.compile(r"\bsk-[\w*.…-]{4,}", re.ASCII)
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


def explainer(name: str, key: str | None, key_place: str) -> Callable[[int, Mapping[str, str], bytes], RadixaError]:
    """`explain` for an upstream. `key_place`: where its key comes from, such as a variable's name."""

    def explain(status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
        return explained(name, key, key_place, status, _read(body), headers)

    return explain


def explained(
    name: str, key: str | None, key_place: str, status: int, said: Said, headers: Mapping[str, str]
) -> RadixaError:
    text = shown(said.message, key)
    because = f": {text}" if text else "."
    asked = retry_after(headers)
    again = headers.get("x-should-retry") != "false"
    if status in (401, 403):
        return UpstreamError(
            f"{name} refuses this server's key (status {status}): the operator should look at {key_place}.",
            code="upstream_key_refused",
            retryable=False,
        )
    if status == 402 or _NO_CREDIT.search(text):
        return UpstreamError(
            f"{name} has no credit left for this server: the operator should look at the account behind {key_place}.",
            code="upstream_quota",
            retryable=False,
        )
    if status == 429:
        return RateLimited(
            f"{name} has reached a limit of its own{because}",
            kind="tokens" if "token" in text else "requests",
            retry_ms=(_LATER_MS if asked is None else max(1, ceil(1_000 * asked))) if again else None,
        )
    if status in (408, 504):
        return UpstreamTimeout(f"{name} timed out (status {status}){because}", retryable=again)
    if status >= 500:
        return UpstreamError(
            f"{name} {'is overloaded' if status == 529 else 'failed'} (status {status}){because}",
            status=503 if status in (503, 529) else 502,
            retryable=again,
            retry_after=asked,
        )
    if _TOO_LONG.search(text):
        return ContextTooLong(text, param="messages")
    field = _FIELD.match(text)
    return UpstreamRefused(
        text or f"{name} refused the request (status {status}).",
        status=status,
        param=field[1] if field else None,
        code="model_not_found" if status == 404 and "model" in text else None,
    )


def in_stream(name: str, key: str | None, key_place: str, said: Said, *, begun: bool) -> RadixaError:
    """An error that came as an event; `begun`: after something of an answer."""
    if not begun:
        return explained(name, key, key_place, _STATUS.get(said.type, 500), said, {})
    text = shown(said.message, key)
    overloaded = said.type == "overloaded_error"
    return UpstreamError(
        f"{name} broke off its answer ({said.type or 'error'}){f': {text}' if text else '.'}",
        status=503 if overloaded else None,
        retryable=False,
    )


def shown(message: str, key: str | None) -> str:
    """A message of Anthropic's without keys, and not longer than anyone reads."""
    if key:
        message = message.replace(key, "…")
    message = _KEY.sub("…", message)
    return message if len(message) <= _MOST_CHARACTERS else message[:_MOST_CHARACTERS] + "…"


def _read(body: bytes) -> Said:
    """What an error's body says; nothing where it is not Anthropic's, as those of a proxy in between are."""
    try:
        return _failure.decode(body).error
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Said()
