"""What Gemini says when it does not answer, as our errors.

`{"error": {"code": 400, "message": "...", "status": "INVALID_ARGUMENT", "details": [{"@type": "..."}, ...]}}`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from radixa.core.errors import ContextTooLong, RadixaError, UpstreamError, UpstreamRefused
from radixa.providers.gemini.wire import Failure, Status
from radixa.providers.upstream.refusals import Account, failure, refused
from radixa.providers.upstream.unreadable import UNREADABLE

_KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED"})
_TOO_LONG = re.compile(r"input token count .* exceeds the maximum", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_CODES = {404: "model_not_found"}

_failures = msgspec.json.Decoder(Failure)
_lists = msgspec.json.Decoder(tuple[Failure, ...])


def explain(account: Account, status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
    """The error of an answer with that status."""
    return explained(account, status, _read(body), headers)


def in_stream(account: Account, found: Status, *, begun: bool) -> RadixaError:
    """An error that came as an event of a stream; `begun`: after parts of an answer."""
    if begun:
        said = account.shown(found.message) or "it did not say why"
        return UpstreamError(f"{account.name} broke off its answer: {said}", retryable=False)
    status = found.code if found.code is not None and 400 <= found.code < 600 else 502
    return explained(account, status, found, {})


def explained(account: Account, status: int, found: Status, headers: Mapping[str, str]) -> RadixaError:
    """An answer's own `retryDelay` is more exact than its headers."""
    said = account.shown(found.message)
    failed = failure(
        account,
        status,
        said,
        headers,
        limit=_enough_of(found),
        bad_key=any(detail.get("reason") in _KEY_REASONS for detail in found.details or ()),
        wait=_delay(found),
    )
    if failed is not None:
        return failed
    if _TOO_LONG.search(said):
        return ContextTooLong(said)
    return UpstreamRefused(refused(account, status, said), status=status, code=_CODES.get(status))


def _read(body: bytes) -> Status:
    """The error in a body; an empty one where it holds none, as those of a proxy in between do."""
    for decoder in (_failures, _lists):
        try:
            found = decoder.decode(body)
        except UNREADABLE:
            continue
        if isinstance(found, Failure):
            return found.error
        if found:
            return found[0].error
    return Status()


def _enough_of(found: Status) -> Literal["requests", "tokens"]:
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
