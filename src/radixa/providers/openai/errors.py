"""An upstream's error answer as one of ours.

What the caller got wrong goes on to the caller, in the upstream's words. What is the operator's (keys, credit) or the
upstream's own is said as such. No key is ever repeated: upstreams quote them, in part or in whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from radixa.core.errors import RadixaError, RateLimited, UpstreamError, UpstreamRefused, UpstreamTimeout
from radixa.providers.upstream.retry import retry_after

_MOST_CHARACTERS = 1000
_KEY = re.compile(r"\b(?:sk|pk|key|rk|gsk|xai|org|proj)-[\w*.…-]{4,}|(?i:bearer)\s+\S+", re.ASCII)
_LATER_MS = 1000
"""When to come back where a limit does not say when."""
_NO_CREDIT = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"})


UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding raises: no JSON, bytes that are no text, nested without end."""


class ErrorFields(msgspec.Struct, frozen=True):
    """An error, whatever shape it came in."""

    message: str = ""
    type: str = ""
    param: str | None = None
    code: str | None = None
    status: int | None = None
    """Where the error itself names one, as OpenRouter's do."""


def error_fields(body: bytes) -> ErrorFields:
    """What the JSON of an error says; nothing where it is none."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return ErrorFields()
    return fields_of(found.get("error", found)) if isinstance(found, dict) else ErrorFields()


def fields_of(found: Any) -> ErrorFields:
    if isinstance(found, str):
        return ErrorFields(message=found)
    if not isinstance(found, dict):
        return ErrorFields()
    message, code = found.get("message", found.get("detail")), found.get("code")
    return ErrorFields(
        message=message if isinstance(message, str) else "",
        type=_text(found.get("type")) or "",
        param=_text(found.get("param")),
        code=_text(code),
        status=code if isinstance(code, int) and 400 <= code < 600 else None,
    )


def explainer(name: str, key: str | None, key_place: str) -> Callable[[int, Mapping[str, str], bytes], RadixaError]:
    """`explain` for an upstream. `key_place`: where its key comes from, such as a variable's name."""

    def explain(status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
        found = error_fields(body)
        return explained(name, status, found, headers, said=shown(found.message, key), key_place=key_place)

    return explain


def explained(
    name: str, status: int, found: ErrorFields, headers: Mapping[str, str], *, said: str, key_place: str
) -> RadixaError:
    """`said`: the upstream's message, fit to be shown."""
    again = headers.get("x-should-retry") != "false"
    asked = retry_after(headers)
    if status in (401, 403):
        return UpstreamError(
            f"{name} refuses this server's key (status {status}): the operator should look at {key_place}.",
            code="upstream_key_refused",
            retryable=False,
        )
    if status == 402 or found.code in _NO_CREDIT or found.type in _NO_CREDIT:
        return UpstreamError(
            f"{name} has no credit left for this server (status {status}): the operator should look at the account "
            f"behind {key_place}.",
            code="upstream_quota",
            retryable=False,
        )
    if status == 429:
        return RateLimited(
            f"{name} has reached a limit of its own{_because(said)}",
            kind="tokens" if found.type == "tokens" else "requests",
            retry_ms=(_LATER_MS if asked is None else max(1, round(asked * 1000))) if again else None,
        )
    if status in (408, 504):
        return UpstreamTimeout(f"{name} timed out (status {status}){_because(said)}", retryable=again)
    if status < 500:
        return UpstreamRefused(
            said or f"{name} refused the request (status {status}).", status=status, param=found.param, code=found.code
        )
    return UpstreamError(
        f"{name} failed (status {status}){_because(said)}",
        status=503 if status in (503, 529) else 502,
        retryable=again,
        retry_after=asked,
    )


def shown(message: str, key: str | None) -> str:
    """An upstream's message without keys, and not longer than anyone reads."""
    if key:
        message = message.replace(key, "…")
    message = _KEY.sub("…", message)
    return message if len(message) <= _MOST_CHARACTERS else message[:_MOST_CHARACTERS] + "…"


def _because(said: str) -> str:
    return f": {said}" if said else "."


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None
