"""What an error of an upstream comes to, as far as its status says it: the same at every provider.

What is the operator's (keys, credit) or the upstream's own is said as such, so a 401 of theirs never goes out as one of
ours. What the caller got wrong goes on in the upstream's words, and each provider reads those for itself. No key is
ever repeated: upstreams quote them, in part or in whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from radixa.core.errors import RadixaError, RateLimited, UpstreamError, UpstreamTimeout
from radixa.providers.upstream.retry import retry_after

_MOST_CHARACTERS = 1000
_KEY = re.compile(r"\b(?:(?:sk|pk|key|rk|gsk|xai|org|proj)-|AIza)[\w*.…-]{4,}|(?i:bearer)\s+\S+", re.ASCII)
_LATER_S = 1.0
"""When to come back where a limit does not say when."""


@dataclass(frozen=True, slots=True)
class Account:
    """As whom an upstream is asked: the provider's name, its key, and where that comes from, such as a variable."""

    name: str
    key: str | None = field(repr=False)
    key_place: str

    def shown(self, message: str) -> str:
        """An upstream's message without keys, and not longer than anyone reads."""
        if self.key:
            message = message.replace(self.key, "…")
        message = _KEY.sub("…", message)
        return message if len(message) <= _MOST_CHARACTERS else message[:_MOST_CHARACTERS] + "…"


def failure(
    account: Account,
    status: int,
    said: str,
    headers: Mapping[str, str],
    *,
    limit: Literal["requests", "tokens"] = "requests",
    bad_key: bool = False,
    no_credit: bool = False,
    wait: float | None = None,
) -> RadixaError | None:
    """The error of an answer whose status is 400 or above; None where the caller got something wrong.

    `said`: the upstream's message, fit to be shown. `limit`: of what a 429 says that there is too much. `bad_key` and
    `no_credit`: the body says so, whatever the status. `wait`: seconds that the body asks for, before the headers'.
    """
    name, because = account.name, f": {said}" if said else "."
    again = headers.get("x-should-retry") != "false"
    asked = retry_after(headers) if wait is None else wait
    if status in (401, 403) or bad_key:
        return UpstreamError(
            f"{name} refuses this server's key (status {status}): the operator should look at {account.key_place}.",
            code="upstream_key_refused",
            retryable=False,
        )
    if status == 402 or no_credit:
        return UpstreamError(
            f"{name} has no credit left for this server (status {status}): the operator should look at the account "
            f"behind {account.key_place}.",
            code="upstream_quota",
            retryable=False,
        )
    if status == 429:
        return RateLimited(
            f"{name} has reached a limit of its own{because}",
            kind=limit,
            retry_ms=max(1, ceil(1000 * (_LATER_S if asked is None else asked))) if again else None,
        )
    if status in (408, 504):
        return UpstreamTimeout(f"{name} timed out (status {status}){because}", retryable=again)
    if status < 500:
        return None
    return UpstreamError(
        f"{name} failed (status {status}){because}",
        status=503 if status in (503, 529) else 502,
        retryable=again,
        retry_after=asked,
    )


def refused(account: Account, status: int, said: str) -> str:
    """The message of what the caller got wrong: the upstream's own, where it has one."""
    return said or f"{account.name} refused the request (status {status})."
