"""An upstream's error answer as one of ours, whatever shape it came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from radixa.core.errors import RadixaError, UpstreamRefused
from radixa.providers.upstream.refusals import Account, failure, refused
from radixa.providers.upstream.unreadable import UNREADABLE

_NO_CREDIT = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"})


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


def explainer(account: Account) -> Callable[[int, Mapping[str, str], bytes], RadixaError]:
    """`explain` for an upstream."""

    def explain(status: int, headers: Mapping[str, str], body: bytes) -> RadixaError:
        return explained(account, status, error_fields(body), headers)

    return explain


def explained(account: Account, status: int, found: ErrorFields, headers: Mapping[str, str]) -> RadixaError:
    said = account.shown(found.message)
    return failure(
        account,
        status,
        said,
        headers,
        limit="tokens" if found.type == "tokens" else "requests",
        no_credit=found.code in _NO_CREDIT or found.type in _NO_CREDIT,
    ) or UpstreamRefused(refused(account, status, said), status=status, param=found.param, code=found.code)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None
