"""What Gemini says when it does not answer, as our errors.

`{"error": {"code": 400, "message": "...", "status": "INVALID_ARGUMENT", "details": [{"@type": "..."}, ...]}}`. What is
wrong with our own key is the operator's trouble and not the caller's, so it never goes out as a 401 of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil

import msgspec

from radixa.core.errors import ContextTooLong, RadixaError, RateLimited, UpstreamError, UpstreamRefused
from radixa.providers.gemini.wire import Failure, Status
from radixa.providers.upstream.retry import retry_after

_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED"})
_TOO_LONG = re.compile(r"input token count .* exceeds the maximum", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_WAIT_S = 1.0
"""Where an upstream that has had enough does not say until when."""
_CODES = {404: "model_not_found"}

_failures = msgspec.json.Decoder(Failure)
_lists = msgspec.json.Decoder(tuple[Failure, ...])


def explained(name: str, status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
    """The error of an answer with that status; `name` is the provider's."""
    return of_status(name, status, _read(body), retry_after(headers))


def in_stream(name: str, found: Status, *, begun: bool) -> UpstreamError:
    """An error that came as an event of a stream; `begun`: after parts of an answer."""
    return UpstreamError(f"{name} broke off its answer: {_said(found)}", retryable=not begun)


def of_status(name: str, status: int, found: Status, wait: float | None) -> RadixaError:
    """`wait`: seconds that the answer's headers ask for; its own `retryDelay` is more exact."""
    delay = _delay(found)
    wait = wait if delay is None else delay
    reasons = {detail.get("reason") for detail in found.details or ()}
    if status in (401, 403) or reasons & _KEY_REASONS:
        return UpstreamError(
            f"{name} refused this server's own key: {_said(found)} Its operator can see to that.", retryable=False
        )
    if status == 429:
        return RateLimited(
            f"{name} has had enough: {_said(found)}",
            kind=_enough_of(found),
            retry_ms=ceil(1000 * (_WAIT_S if wait is None else wait)),
        )
    if status >= 500 or status == 408:
        return UpstreamError(f"{name} failed with status {status}: {_said(found)}", retry_after=wait)
    if _TOO_LONG.search(found.message):
        return ContextTooLong(f"{name}: {_said(found)}")
    return UpstreamRefused(f"{name}: {_said(found)}", status=status, code=_CODES.get(status))


def _read(body: bytes) -> Status:
    """The error in a body; an empty one where it holds none, as those of a proxy in between do."""
    for decoder in (_failures, _lists):
        try:
            found = decoder.decode(body)
        except (msgspec.DecodeError, UnicodeError):
            continue
        if isinstance(found, Failure):
            return found.error
        if found:
            return found[0].error
    return Status()


def _said(found: Status) -> str:
    text = found.message or "it did not say why."
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _enough_of(found: Status) -> str:
    """`tokens` where a quota of them is used up, as `google.rpc.QuotaFailure` names it, else `requests`."""
    violations = [each for detail in found.details or () for each in _list(detail.get("violations"))]
    metrics = (str(each.get("quotaMetric", "")) for each in violations if isinstance(each, dict))
    return "tokens" if any("token" in metric for metric in metrics) else "requests"


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []


def _delay(found: Status) -> float | None:
    """Seconds that `google.rpc.RetryInfo` asks for."""
    for detail in found.details or ():
        given = detail.get("retryDelay")
        if isinstance(given, str) and (match := _DURATION.fullmatch(given)):
            return float(match[1])
    return None
